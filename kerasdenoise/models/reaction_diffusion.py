"""Diffusion along trained filters, each step with its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.reaction_diffusion_step import (
    P1Flux,
    PeronaMalikFlux,
    ReactionDiffusionStep,
)
from kerasdenoise.models._parts import Inputs
from kerasdenoise.runtime import keras_defaults

# The level at which a network that is told the noise has the contrast of its configuration.
_LEVEL = 25 / 255
_SMALLEST_LEVEL = 1 / 255


def _make_step(config: Config, number: int) -> ReactionDiffusionStep:
    if config.flux == "p1":
        flux = P1Flux(config.pieces, name="flux")
    else:
        flux = PeronaMalikFlux(config.terms, config.flux == "coupled", name="flux")
    return ReactionDiffusionStep(
        config.filters,
        config.size,
        flux,
        config.strength / config.steps,
        0.05 if number else None,
        name=f"step_{number}",
    )


@dataclass(frozen=True)
class Config:
    """The diffusion's settings.

    Attributes:
        channels: Channels of the image, 1 or 3.
        steps: Time steps.
        filters: Filters of each step.
        size: Height and width of the filters, odd.
        flux: What flows along a filter: `coupled`, Perona and Malik's rational function of
            the responses to all filters; `rational`, the same of that filter's alone; `p1`, a
            piecewise linear function of that.
        terms: How many rational functions are summed; see `layers.PeronaMalikFlux`.
        pieces: Pieces of a piecewise linear one; see `layers.P1Flux`.
        contrast: Unit of the contrasts that are trained, on the [0, 1] scale.
        strength: How much of the noise all steps together take away at first, about.
        noise_level: Whether the network is told the level of the noise, as a second input. All
            contrasts are then proportional to it, and as configured at 25/255.
    """

    channels: int = 3
    steps: int = 5
    filters: int = 24
    size: int = 5
    flux: Literal["coupled", "rational", "p1"] = "coupled"
    terms: int = 2
    pieces: int = 6
    contrast: float = 0.15
    strength: float = 2.5
    noise_level: bool = False

    def __post_init__(self) -> None:
        if min(self.channels, self.steps) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")
        if self.flux not in ("coupled", "rational", "p1"):
            raise ModelError(
                f"reaction_diffusion flux {self.flux!r}",
                "is unknown",
                "known: coupled, rational, p1",
            )
        if not self.contrast > 0:
            raise ModelError(
                f"contrast {self.contrast:g}", "is not above 0", "give one such as 0.15"
            )
        _make_step(self, 0)  # refuses what is left

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return 1

    @property
    def radius(self) -> int:
        """How far an input pixel reaches: with each filter and back."""
        return 2 * (self.size // 2) * self.steps


PRESETS = {
    "tiny": Config(steps=2, filters=4, size=3),
    "paper": Config(flux="p1", filters=48, size=7, pieces=15),
    "small": Config(),
}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image, not clipped.

    Trainable nonlinear reaction diffusion (Chen and Pock, IEEE TPAMI 2017) with the functions
    of this house in place of the paper's sums of 63 Gaussian bells: Perona and Malik's rational
    function with trained contrasts, or P1 functions. Filters may also heed each other. All
    steps are trained together from the start, the paper's first one after the other. The first
    step has no reaction: it starts from the noisy image.

    Args:
        config: The diffusion's settings.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32, of
        any size.
    """
    inputs = Inputs(config)
    contrast = _find_contrast(inputs, config)
    u = inputs.noisy
    for number in range(config.steps):
        step = _make_step(config, number)
        u = step(u, contrast=contrast, **({"noisy": inputs.noisy} if number else {}))
    return inputs.make_network(u, "reaction_diffusion")


def _find_contrast(inputs: Inputs, config: Config) -> object:
    if inputs.noise_level is None:
        return float(config.contrast)
    # Divided: Keras takes the product of a symbolic tensor and a number for a sparse tensor.
    return keras.ops.maximum(inputs.noise_level, _SMALLEST_LEVEL) / (_LEVEL / config.contrast)
