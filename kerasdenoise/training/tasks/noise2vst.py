"""Training of a curve around a denoiser, from noisy images alone."""

from __future__ import annotations

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.models._parts import find_layers
from kerasdenoise.models.stabilized import DENOISER
from kerasdenoise.noise import Noise
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.self_supervised import SelfSupervised
from kerasdenoise.training.tasks.task import Split

# Of each cell of so many pixels a side, the network does not see one.
CELL = 4

_ARCHITECTURE = "stabilized"


class Noise2VST(SelfSupervised):
    """Learns the curve of a `stabilized` network, whose denoiser stays as it is.

    One pixel of each cell is replaced by a mean of its neighbors, and the result there is compared
    with the noisy value, which the network has not seen. So noise that differs from pixel to pixel
    cannot be learned, and noise that neighbors share is: the method is for white noise, whatever
    its distribution and however it depends on brightness (Herbreteau and Unser, "Self-calibrated
    variance-stabilizing transformations for real-world image denoising" (Noise2VST), ICCV 2025).

    The recipe names the denoiser's weights: `[model] part_weights = { denoiser = "photo" }`.
    """

    objective = "noise2vst"

    @classmethod
    def check(cls, recipe: Recipe, noise: Noise) -> None:
        """Refuses networks without a curve."""
        super().check(recipe, noise)
        if recipe.model.architecture != _ARCHITECTURE:
            raise RecipeError(
                f"objective {cls.objective!r}",
                f"learns a curve, which architecture {recipe.model.architecture!r} has not",
                f'write architecture = "{_ARCHITECTURE}"',
            )

    @classmethod
    def make_denoiser(cls, recipe: Recipe, dtype: str | None = None) -> keras.Model:
        """Builds the network, of which the denoiser is not trained."""
        network = super().make_denoiser(recipe, dtype)
        for layer in find_layers(network):
            if layer.name == DENOISER:
                layer.trainable = False
        return network

    @staticmethod
    def split(noisy: Tensor, seed: keras.random.SeedGenerator) -> Split:
        """Hides one pixel of each cell of 4x4, at a place drawn for the batch."""
        ops = keras.ops
        _, height, width, _ = noisy.shape
        row, column = ops.unstack(keras.random.randint((2,), 0, CELL, dtype="int32", seed=seed))
        rows = ops.equal(ops.arange(height, dtype="int32") % CELL, row)
        columns = ops.equal(ops.arange(width, dtype="int32") % CELL, column)
        hidden = ops.logical_and(
            ops.reshape(rows, (1, height, 1, 1)), ops.reshape(columns, (1, 1, width, 1))
        )
        seen = ops.where(hidden, average_neighbors(noisy), noisy)
        weight = ops.cast(hidden, noisy.dtype) * ops.ones_like(noisy)
        return Split(seen, noisy, weight)


def average_neighbors(images: Tensor) -> Tensor:
    """Returns means of the eight pixels around each, those beside it counted twice.

    Args:
        images: Float32 (batch, height, width, channels), which is continued by its reflection.
    """
    padded = keras.ops.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")
    sums = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    sums = sums[:, :, :-2] + 2 * sums[:, :, 1:-1] + sums[:, :, 2:]
    return (sums - 4 * images) / 12
