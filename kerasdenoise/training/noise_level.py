"""How the noise level enters training: what a network is told, and what it learns to estimate."""

from __future__ import annotations

import keras

from kerasdenoise.models import get_parts
from kerasdenoise.models._primitives import LEVEL_CELL
from kerasdenoise.tensors import Tensor

# Share of the patches whose true noise level the denoising part is told.
TOLD = 0.25

# Levels below this one leave a photo clean enough, and need not be told apart.
FAINT = 0.5 / 255

# What the level's error counts beside the image's.
SHARE = 0.05


class Caller:
    """Calls a network that takes noisy images, and their noise level if it has an input for it.

    Args:
        denoiser: The network.
        seed: Where random numbers come from.

    Attributes:
        needs_clean_target: Whether it learns from `mean`.
    """

    needs_clean_target = False

    def __init__(self, denoiser: keras.Model, seed: keras.random.SeedGenerator) -> None:
        self._denoiser = denoiser
        self._seed = seed

    def __call__(
        self, noisy: Tensor, mean: Tensor, training: bool | None
    ) -> dict[str, Tensor | list[Tensor]]:
        """Denoises a batch.

        Args:
            noisy: Images (batch, height, width, channels).
            mean: The same without their noise.
            training: Whether this is a training step.

        Returns:
            `inputs`, all that the network is given, and `denoised`.
        """
        inputs = give_inputs(self._denoiser, noisy, measure_noise(noisy, mean))
        return {"inputs": inputs, "denoised": self._denoiser(inputs, training=training)}


class EstimatingCaller(Caller):
    """Calls both halves of a network that estimates the noise level and denoises by it.

    The denoising half is told the estimate for most patches, which is what it has to work
    with, and the truth for the others, so that it also follows a level that it is given. The
    estimate answers to the truth alone: the image's loss does not bend it.

    Args:
        estimator: From noisy images to their noise level.
        told: From noisy images and a noise level to denoised images.
        seed: Draws which patches are told the truth.
        share: Share of them.
    """

    needs_clean_target = True

    def __init__(
        self,
        estimator: keras.Model,
        told: keras.Model,
        seed: keras.random.SeedGenerator,
        share: float = TOLD,
    ) -> None:
        super().__init__(told, seed)
        self._estimator = estimator
        self._share = share

    def __call__(
        self, noisy: Tensor, mean: Tensor, training: bool | None
    ) -> dict[str, Tensor | list[Tensor]]:
        """Denoises a batch.

        Also returns what the denoising half was `told`, both levels, and `level_error`, which is to
        be added to the loss. That is the mean of `r - log(r) - 1`, with r the ratio of the true
        variance to the estimated one: least where the estimate is the mean of all variances that
        look like this, relative to itself.
        """
        level = measure_level(noisy, mean)
        estimated = self._estimator(noisy, training=training)
        is_told = keras.random.uniform((noisy.shape[0], 1, 1, 1), seed=self._seed) < self._share
        guide = keras.ops.where(is_told, level, keras.ops.stop_gradient(estimated))
        told = [noisy, guide]
        ratio = keras.ops.square(level) + FAINT**2
        ratio = ratio / (keras.ops.square(estimated) + FAINT**2)
        return {
            "inputs": noisy,
            "denoised": self._denoiser(told, training=training),
            "told": told,
            "level": level,
            "estimated": estimated,
            "level_error": SHARE * keras.ops.mean(ratio - keras.ops.log(ratio) - 1.0),
        }


def make_caller(denoiser: keras.Model, seed: keras.random.SeedGenerator) -> Caller:
    """Makes what calls a network in training, by what it does with the noise level."""
    estimator, _, tile = get_parts(denoiser)
    return Caller(denoiser, seed) if estimator is None else EstimatingCaller(estimator, tile, seed)


def measure_noise(noisy: Tensor, clean: Tensor) -> Tensor:
    """Returns the standard deviation of each image's noise, (batch, 1, 1, 1)."""
    squared = keras.ops.square(noisy - clean)
    return keras.ops.sqrt(keras.ops.mean(squared, axis=(1, 2, 3), keepdims=True))


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
    cells = ops.average_pool(squared, LEVEL_CELL, LEVEL_CELL)
    cells = ops.sqrt(ops.average_pool(cells, 3, 1, padding="same"))
    return ops.repeat(ops.repeat(cells, LEVEL_CELL, axis=1), LEVEL_CELL, axis=2)


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
