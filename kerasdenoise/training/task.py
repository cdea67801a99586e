"""One training step: corrupt, denoise, compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from kerasdenoise.losses import Loss
from kerasdenoise.noise import Noise
from kerasdenoise.tensors import Tensor
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
        weight_decay: Factor of the weights in their gradients.
    """

    def __init__(
        self,
        denoiser: keras.Model,
        noise: Noise,
        objective: Objective,
        loss: Loss,
        patch: int,
        seed: int,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(dtype="float32", name="denoising_task")
        self.denoiser = denoiser
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._noise = noise
        self._objective = objective
        self._image_loss = loss
        self._patch = patch
        self._weight_decay = weight_decay

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Returns what was compared: `inputs`, `target` and `denoised`, all a patch wide."""
        noisy, target, mean = self._objective(clean, self._noise, self.seed_generator)
        level = measure_noise(noisy, mean)
        noisy, target = self._crop(noisy, target)
        inputs = give_inputs(self.denoiser, noisy, level)
        denoised = self.denoiser(inputs, training=training)
        return {"inputs": inputs, "target": target, "denoised": denoised}

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:
        """Compares what `call` returned; there is no other target."""
        return self._penalize(
            keras.ops.mean(self._image_loss(y_pred["target"], y_pred["denoised"]))
        )

    def _penalize(self, loss: Any) -> Any:
        """Adds what layers ask for, and the decay of the weights."""
        for penalty in self.losses:
            loss = loss + penalty
        if self._weight_decay:
            squares = [keras.ops.sum(keras.ops.square(w)) for w in self.trainable_variables]
            loss = loss + self._weight_decay / 2 * sum(squares)
        return loss

    def _crop(self, *images: Tensor) -> Sequence[Tensor]:
        """Cuts the same patch at a random place out of all."""
        ops = keras.ops
        batch, height, width, channels = images[0].shape
        if (height, width) == (self._patch, self._patch):
            return images
        room = min(height, width) - self._patch + 1
        corner = keras.random.randint((2,), 0, room, dtype="int32", seed=self.seed_generator)
        start = ops.concatenate([ops.zeros((1,), "int32"), corner, ops.zeros((1,), "int32")])
        shape = (batch, self._patch, self._patch, channels)
        return [ops.slice(each, start, shape) for each in images]


def measure_noise(noisy: Tensor, clean: Tensor) -> Tensor:
    """Returns the standard deviation of each image's noise, (batch, 1, 1, 1)."""
    squared = keras.ops.square(noisy - clean)
    return keras.ops.sqrt(keras.ops.mean(squared, axis=(1, 2, 3), keepdims=True))


def give_inputs(denoiser: keras.Model, noisy: Tensor, level: Tensor) -> Tensor | list[Tensor]:
    """Puts together what a network takes.

    Args:
        denoiser: The network.
        noisy: Its images (batch, height, width, channels).
        level: The standard deviation of their noise (batch, 1, 1, 1), told to networks that
            take it.
    """
    if len(denoiser.inputs) == 1:
        return noisy
    return [noisy, level * keras.ops.ones_like(noisy[..., :1])]
