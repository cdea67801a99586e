"""Training of a network in 8-bit integers to give what the same network gives in floats."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.data.patches import PatchSampler
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.fake_quantization import round_network, set_scales
from kerasdenoise.training.task import DenoisingTask
from kerasdenoise.training.teacher import compare_with_teacher

# Batches that the first scales are set by.
_BATCHES = 8


class ImitationTask(DenoisingTask):
    """Trains a rounded network to imitate the one it was made of.

    What integers lose is small beside what any network leaves of the noise. Compared with the
    clean image it would be lost in that; compared with what floats make of the same picture,
    it is all that is seen. That also keeps the network's other properties, such as its tone.

    Takes what `DenoisingTask` takes; `denoiser` becomes the rounded network.

    Attributes:
        imitated: The network in floats, which is not trained.
    """

    def __init__(self, denoiser: keras.Model, *args: Any, **kwargs: Any) -> None:
        super().__init__(round_network(denoiser), *args, **kwargs)
        self.imitated = denoiser
        self.imitated.trainable = False

    def start(self, sampler: PatchSampler) -> None:
        """Gives the rounded network the weights of the other one, and scales that fit them."""
        for layer in self.imitated.layers:
            self.denoiser.get_layer(layer.name).set_weights(layer.get_weights())
        noisy = [self(sampler.batch_of(step))["inputs"] for step in range(_BATCHES)]
        set_scales(self.denoiser, noisy)

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Returns what `DenoisingTask` does, and as `taught` what the floats make of it."""
        noisy, target, _ = self._objective(clean, self._noise, self.seed_generator)
        noisy, target = self._crop(noisy, target)
        # As pictures have it: integers hold nothing else.
        noisy = keras.ops.round(255 * keras.ops.clip(noisy, 0, 1)) / 255
        imitated = keras.ops.clip(self.imitated(noisy, training=False), 0, 1)
        denoised = self.denoiser(noisy, training=training)
        return {"inputs": noisy, "target": target, "denoised": denoised, "taught": imitated}

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:
        """Compares with the floats; there is no other target."""
        return self._penalize(compare_with_teacher(y_pred))
