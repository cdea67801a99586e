"""One training step: corrupt, denoise, compare."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.losses import Loss
from kerasdenoise.noise import Noise
from kerasdenoise.noise.base import Tensor
from kerasdenoise.training.objectives import Objective


class DenoisingTask(keras.Model):
    """A denoiser together with the noise it learns to remove.

    The noise is drawn inside the step, on the device that trains, from a generator whose
    state is one of the model's variables. `fit` takes clean patches alone.

    Args:
        denoiser: The network that is trained.
        noise: The corruption.
        objective: Makes input and target of clean patches.
        loss: Compares target and denoised image.
        patch: Side of the patch, of the larger one that is corrupted, that the network sees.
        seed: Seed of the noise.
    """

    def __init__(
        self,
        denoiser: keras.Model,
        noise: Noise,
        objective: Objective,
        loss: Loss,
        patch: int,
        seed: int,
    ) -> None:
        super().__init__(dtype="float32", name="denoising_task")
        self.denoiser = denoiser
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._noise = noise
        self._objective = objective
        self._image_loss = loss
        self._patch = patch

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Returns what was compared: `target` and `denoised`, both a patch wide."""
        noisy, target = self._objective(clean, self._noise, self.seed_generator)
        noisy, target = self._crop(noisy, target)
        return {"target": target, "denoised": self.denoiser(noisy, training=training)}

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:
        """Compares what `call` returned; there is no other target."""
        return keras.ops.mean(self._image_loss(y_pred["target"], y_pred["denoised"]))

    def _crop(self, noisy: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Cuts the same patch at a random place out of both."""
        ops = keras.ops
        batch, height, width, channels = noisy.shape
        if (height, width) == (self._patch, self._patch):
            return noisy, target
        room = min(height, width) - self._patch + 1
        corner = keras.random.randint((2,), 0, room, dtype="int32", seed=self.seed_generator)
        start = ops.concatenate([ops.zeros((1,), "int32"), corner, ops.zeros((1,), "int32")])
        shape = (batch, self._patch, self._patch, channels)
        return ops.slice(noisy, start, shape), ops.slice(target, start, shape)
