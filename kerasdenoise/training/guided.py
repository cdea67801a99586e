"""Training of a network that estimates the level of the noise and denoises by it."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.models import split_noise_level
from kerasdenoise.models._noise_level import CELL
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.task import DenoisingTask
from kerasdenoise.training.teacher import Teacher, compare_with_teacher

# Share of the patches whose true noise level the denoising part is told.
TOLD = 0.25

# Levels below this one leave a photo clean enough, and need not be told apart.
FAINT = 0.5 / 255

# What the level's error counts beside the image's.
SHARE = 0.05


class GuidedTask(DenoisingTask):
    """Trains both halves at once: one to say how strong the noise is, the other to remove it.

    The denoising half is told the estimate for most patches, which is what it has to work
    with, and the truth for the others, so that it also follows a level that it is given. The
    estimate answers to the truth alone: the image's loss does not bend it.

    Args:
        denoiser: The network.
        *args: What `DenoisingTask` takes.
        teacher: What the denoising half learns from, told the same level, in place of the clean
            picture; None for that.
        **kwargs: What `DenoisingTask` takes.
    """

    def __init__(
        self, denoiser: keras.Model, *args: Any, teacher: Teacher | None = None, **kwargs: Any
    ) -> None:
        super().__init__(denoiser, *args, **kwargs)
        self._teacher = teacher
        parts = split_noise_level(denoiser)
        if parts is None:
            raise TypeError(f"{denoiser.name} estimates no noise level")
        self._estimator, self._told = parts

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Returns what was compared; besides what `DenoisingTask` returns, both levels."""
        ops = keras.ops
        noisy, target, mean = self._objective(clean, self._noise, self.seed_generator)
        noisy, target, mean = self._crop(noisy, target, mean)
        level = measure_level(noisy, mean)
        estimated = self._estimator(noisy, training=training)
        is_told = keras.random.uniform((noisy.shape[0], 1, 1, 1), seed=self.seed_generator) < TOLD
        guide = ops.where(is_told, level, ops.stop_gradient(estimated))
        seen = {
            "inputs": noisy,
            "target": target,
            "denoised": self._told([noisy, guide], training=training),
            "level": level,
            "estimated": estimated,
        }
        if self._teacher is not None:
            seen["taught"] = self._teacher([noisy, guide], self.seed_generator)
        return seen

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:
        """Adds the error of the estimated level.

        It is `r - log(r) - 1`, with r the ratio of the true variance to the estimated one: least
        where the estimate is the mean of all variances that look like this, relative to itself.
        """
        faint = FAINT**2
        ratio = keras.ops.square(y_pred["level"]) + faint
        ratio = ratio / (keras.ops.square(y_pred["estimated"]) + faint)
        error = SHARE * keras.ops.mean(ratio - keras.ops.log(ratio) - 1.0)
        if self._teacher is not None:
            return self._penalize(compare_with_teacher(y_pred)) + error
        return super().compute_loss(x, y, y_pred) + error


def measure_level(noisy: Tensor, clean: Tensor) -> Tensor:
    """Measures the standard deviation of the noise around each cell of 8x8 pixels.

    Over the cell and its eight neighbors: few samples give an unsteady figure.

    Args:
        noisy: Images (batch, height, width, channels), sides multiples of 8.
        clean: The same without noise.

    Returns:
        The level (batch, height, width, 1), equal within each cell.
    """
    ops = keras.ops
    squared = ops.mean(ops.square(noisy - clean), axis=-1, keepdims=True)
    cells = ops.average_pool(squared, CELL, CELL)
    cells = ops.sqrt(ops.average_pool(cells, 3, 1, padding="same"))
    return ops.repeat(ops.repeat(cells, CELL, axis=1), CELL, axis=2)
