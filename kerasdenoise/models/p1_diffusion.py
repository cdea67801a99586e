"""Anisotropic diffusion with a trained piecewise linear coefficient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.diffusion_step import BorderMix, DiffusionStep, IterationGates
from kerasdenoise.layers.p1_coefficient import EdgeIndicator, GlobalMaximum, P1Coefficient
from kerasdenoise.layers.regressors import ImageRegressor, SharedValues
from kerasdenoise.models._diffusion import (
    PIXEL_RADIUS,
    border_config,
    choose_for_pixels,
    find_borders,
)
from kerasdenoise.models._parts import Inputs
from kerasdenoise.models._primitives import Primitives
from kerasdenoise.runtime import keras_defaults


def _make_coefficient(config: Config, make: Primitives) -> P1Coefficient:
    calls = config.steps if config.recompute or not config.shared else 1
    return make.layer(
        P1Coefficient,
        config.pieces,
        config.monotone,
        config.continuous,
        config.backward,
        # Each call adds its penalty; together they are those of the functions, once for each.
        config.roughness / (calls if config.shared else 1),
        config.degree,
        name="coefficient",
    )


@dataclass(frozen=True)
class Config:
    """The diffusion's settings.

    Attributes:
        channels: Channels of the image, 1 or 3.
        steps: Time steps.
        tau: Length of a time step, above 0 and up to 1/4.
        pieces: Pieces of the coefficient function.
        values: What has a function of its own: `global`, the network; `image`, each image, for
            which a `layers.ImageRegressor` chooses it; `pixel`, each pixel, by a small
            `layers.LambdaLayer`.
        contrast: Perona and Malik's lambda for the function that training starts from, as a
            share of the largest edge indicator in the image.
        backward: How far below zero the coefficient may go.
        monotone: Whether it falls as edges get stronger.
        continuous: Whether its pieces meet.
        roughness: Weight of the penalty on its bends, in the model's losses.
        degree: 1 for a piecewise linear function, 2 or 3 for a smooth spline; see
            `layers.P1Coefficient`.
        stem: 3x3 convolutions that make the edge indicator, 0 to 3; with 0 it is the norm of
            the gradient at the pixel itself.
        recompute: Whether the indicator is taken anew before each step, as Perona and Malik
            do, or once, of the noisy image: the diffusion then is linear.
        border: Whether borders have another function than the rest, told apart by a frozen
            `border_unet`.
        hard_border: Whether a pixel has the one or the other outside training, or a mixture.
        shared: Whether all steps have the same function, or each its own.
        noise_level: Whether the network is told the level of the noise, as a second input. It
            then sets the number of steps, by `layers.IterationGates`.
    """

    channels: int = 3
    steps: int = 10
    tau: float = 0.2
    pieces: int = 20
    values: Literal["global", "image", "pixel"] = "image"
    contrast: float = 0.3
    backward: float = 0.1
    monotone: bool = False
    continuous: bool = True
    roughness: float = 0.0
    degree: int = 1
    stem: int = 2
    recompute: bool = True
    border: bool = False
    hard_border: bool = True
    shared: bool = True
    noise_level: bool = False

    def __post_init__(self) -> None:
        if min(self.channels, self.steps) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")
        if self.values not in ("global", "image", "pixel"):
            raise ModelError(
                f"p1_diffusion values {self.values!r}", "is unknown", "known: global, image, pixel"
            )
        if not 0 <= self.stem <= 3:
            raise ModelError(
                f"p1_diffusion stem {self.stem}", "is not 0 to 3 convolutions", "give 2"
            )
        if not self.contrast > 0:
            raise ModelError(
                f"contrast {self.contrast:g}", "is not above 0", "give one such as 0.3"
            )
        # The layers refuse what is left.
        DiffusionStep(None, self.tau, name="step")
        _make_coefficient(self, Primitives())

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return border_config(self.channels).stride if self.border else 1

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels, but through what is chosen by the image.

        A step reaches one pixel, and as far as the indicator further than that if it is taken
        anew. What comes of the noisy image alone adds to the last step counted backwards.
        """
        chosen = PIXEL_RADIUS if self.values == "pixel" else 0
        border = border_config(self.channels).radius if self.border else 0
        given = max(self.stem, chosen, border)
        return (self.steps - 1) * (1 + self.stem * self.recompute) + 1 + given


PRESETS = {
    "tiny": Config(steps=2, pieces=4, stem=1, recompute=False),
    "paper": Config(),
    "pointwise": Config(stem=0),
    "global": Config(values="global"),
    "pixel": Config(values="pixel"),
    "monotone": Config(monotone=True),
    "spline": Config(degree=3),
    "border": Config(border=True),
    "noise_aware": Config(steps=20, noise_level=True),
}


@keras_defaults()
def build(config: Config, make: Primitives | None = None) -> keras.Model:
    """Builds the network: noisy image to denoised image, not clipped.

    Diffusion with a coefficient that is a P1 function of an edge indicator, from the slides on
    learned anisotropic diffusion. The function's knots divide the range from 0 to the largest
    indicator in the noisy image into equal pieces; its values at them are read off the image by
    a small network, or trained, or chosen for each pixel, which the slides do not do. One
    coefficient serves all channels, so that colors do not fringe. Training starts from Perona
    and Malik's exponential function.

    The slides do not say what the convolutions before the function look like, nor whether the
    coefficient follows the image as it diffuses. Here the same convolutions look at it before
    each step (`recompute`); the knots and the values stay those of the noisy image. A negative
    coefficient, which the slides want, sharpens: the result may leave the range of the noisy
    image, by a factor of (1 + 8 * tau * backward)^steps in the worst case.

    Args:
        config: The diffusion's settings.
        make: What its layers are made of.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`.
    """
    make = make or Primitives()
    inputs = Inputs(config)
    indicator = make.layer(EdgeIndicator, config.stem, name="indicator")
    evaluate = _make_coefficient(config, make)
    step = make.layer(DiffusionStep, None, config.tau, name="step")
    first = indicator(inputs.noisy)
    top = make.pass_context(inputs, make.layer(GlobalMaximum, name="top"), first)
    functions = _choose_functions(inputs, evaluate, config, make)
    border = find_borders(inputs.noisy) if config.border else None
    mix = BorderMix(config.hard_border, name="border_mix")
    gates = None
    if inputs.noise_level is not None:
        gates = make.layer(IterationGates, config.steps, config.tau, name="gates")(
            inputs.noise_level
        )
    u, edges, coefficient = inputs.noisy, first, None
    for n in range(config.steps):
        if n and config.recompute:
            edges = indicator(u)
        if coefficient is None or config.recompute or not config.shared:
            thetas = functions[0 if config.shared else n]
            coefficients = [evaluate(edges, theta, top) for theta in thetas]
            coefficient = coefficients[0] if border is None else mix(border, *coefficients)
        gate = {} if gates is None else {"gate": gates[..., n : n + 1]}
        u = step(u, coefficient=coefficient, **gate)
    return inputs.make_network(u, "p1_diffusion")


def _choose_functions(
    inputs: Inputs, evaluate: P1Coefficient, config: Config, make: Primitives
) -> list[tuple[Any, ...]]:
    """Gives the functions that all steps share, or those of each: at borders and elsewhere."""
    each = 2 if config.border else 1
    count = each * (1 if config.shared else config.steps)
    start = evaluate.start(config.contrast) * count
    if config.values == "global":
        thetas = SharedValues(start, name="thetas")(inputs.noisy)
    elif config.values == "pixel":
        thetas = choose_for_pixels(inputs, start, "thetas", make)
    else:
        layer = make.layer(ImageRegressor, start, name="thetas")
        thetas = make.pass_context(inputs, layer, inputs.seen)
    size = evaluate.count
    single = [thetas[..., size * i : size * (i + 1)] for i in range(count)]
    return [tuple(single[i : i + each]) for i in range(0, count, each)]
