"""Training of a curve around a denoiser, from noisy images alone."""

from __future__ import annotations

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.models._parts import find_layers
from kerasdenoise.models.stabilized import DENOISER
from kerasdenoise.noise import Noise
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.self_supervised import SelfSupervised

_ARCHITECTURE = "stabilized"


class Noise2VST(SelfSupervised):
    """Learns the curve of a `stabilized` network, whose denoiser stays as it is.

    One pixel of each cell is replaced by a mean of its neighbors, and the result there is compared
    with the noisy value, which the network has not seen. So noise that differs from pixel to pixel
    cannot be learned. Noise that neighbors share is learned, unless the recipe tells of it. A curve
    helps against noise that depends on brightness, whatever its distribution (Herbreteau and
    Unser, "Self-calibrated variance-stabilizing transformations for real-world image denoising"
    (Noise2VST), ICCV 2025).

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
                f"learns a curve, which architecture {recipe.model.architecture!r} does not have",
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
