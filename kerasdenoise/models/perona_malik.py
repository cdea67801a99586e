"""Anisotropic diffusion whose contrast is fixed, trained, or chosen for each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.diffusion_step import BorderMix, DiffusionStep, IterationGates
from kerasdenoise.layers.regressors import (
    SMALLEST_CONTRAST,
    ContrastRegressor,
    SharedValues,
    from_contrast,
    to_contrast,
)
from kerasdenoise.models._diffusion import (
    PIXEL_RADIUS,
    border_config,
    choose_for_pixels,
    find_borders,
)
from kerasdenoise.models._parts import Inputs
from kerasdenoise.models._primitives import Primitives
from kerasdenoise.runtime import keras_defaults


def _make_step(config: Config, name: str, make: Primitives) -> DiffusionStep:
    # A tenth of the strongest reaction that is stable.
    reaction = 0.1 * (1 / config.tau - 4) if config.reaction and config.tau > 0 else None
    return make.layer(
        DiffusionStep,
        config.function,
        config.tau,
        config.argument,
        config.learn_tau,
        reaction,
        name=name,
    )


@dataclass(frozen=True)
class Config:
    """The diffusion's settings.

    Attributes:
        channels: Channels of the image, 1 or 3.
        steps: Time steps.
        tau: Length of a time step, above 0 and up to 1/4.
        function: Perona and Malik's coefficient; see `layers.DiffusionStep`.
        argument: Whether that is a function of each difference or of the gradient's norm.
        scope: What has a contrast of its own: `fixed`, none, it is a weight that is not
            trained; `global`, the network, it is trained; `image`, each image, for which a
            `layers.ContrastRegressor` chooses it; `pixel`, each pixel, by a small
            `layers.LambdaLayer`.
        contrast: Where the contrast starts, and at `fixed` stays, on the [0, 1] scale.
        border: Whether borders have another contrast than the rest, told apart by a frozen
            `border_unet`.
        border_contrast: Where that starts. Of the two the smaller is always that of borders.
        hard_border: Whether a pixel has the one or the other outside training, or a mixture.
        reaction: Whether each step also pulls back to the noisy image, by a trained amount.
        learn_tau: Whether the time step is trained.
        shared: Whether all steps have the same contrast, time step and reaction, or each its
            own.
        noise_level: Whether the network is told the level of the noise, as a second input. It
            then sets the number of steps, by `layers.IterationGates`.
    """

    channels: int = 3
    steps: int = 10
    tau: float = 0.2
    function: Literal["exponential", "rational"] = "exponential"
    argument: Literal["directional", "norm"] = "directional"
    scope: Literal["fixed", "global", "image", "pixel"] = "image"
    contrast: float = 25 / 255
    border: bool = False
    border_contrast: float = 10 / 255
    hard_border: bool = True
    reaction: bool = False
    learn_tau: bool = False
    shared: bool = True
    noise_level: bool = False

    def __post_init__(self) -> None:
        if min(self.channels, self.steps) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")
        if self.function not in ("exponential", "rational"):
            raise ModelError(
                f"perona_malik function {self.function!r}",
                "is unknown",
                "known: exponential, rational",
            )
        if self.scope not in ("fixed", "global", "image", "pixel"):
            raise ModelError(
                f"perona_malik scope {self.scope!r}",
                "is unknown",
                "known: fixed, global, image, pixel",
            )
        for contrast in (self.contrast, self.border_contrast):
            if self.scope != "fixed":
                from_contrast(contrast)  # refuses those that cannot be trained
            elif not contrast >= SMALLEST_CONTRAST:
                raise ModelError(
                    f"contrast {contrast:g}", "is below 1/255", "give one such as 25/255"
                )
        _make_step(self, "step", Primitives())  # refuses a step that is not stable

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return border_config(self.channels).stride if self.border else 1

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels, but through the contrast of the image."""
        contrast = PIXEL_RADIUS if self.scope == "pixel" else 0
        border = border_config(self.channels).radius if self.border else 0
        return self.steps + max(contrast, border)


PRESETS = {
    "tiny": Config(steps=2, function="rational"),
    "classical": Config(scope="fixed"),
    "classical_rational": Config(scope="fixed", function="rational"),
    "global": Config(scope="global"),
    "image": Config(),
    "image_rational": Config(function="rational"),
    "pixel": Config(scope="pixel"),
    "border": Config(border=True),
    "noise_aware": Config(steps=20, noise_level=True),
}


@keras_defaults()
def build(config: Config, make: Primitives | None = None) -> keras.Model:
    """Builds the network: noisy image to denoised image, within the range of the noisy one.

    Perona and Malik's diffusion ("Scale-space and edge detection using anisotropic diffusion",
    IEEE TPAMI 1990) and, at scope `image`, what the slides on learned anisotropic diffusion
    make of it: a network that chooses the contrast, their lambda, by the noise and the image.
    They do not say how many steps, how long, and what the network is; here it looks at the
    noisy image once. At scope `pixel` the lambda of LambdaNetworks, a quite different thing of
    the same name, chooses that contrast by the whole image and by what surrounds the pixel.
    With a reaction and steps that are not shared it is close to trainable
    nonlinear reaction diffusion (Chen and Pock, IEEE TPAMI 2017), on the differences between
    neighbors alone.

    At scope `fixed`, with nothing else, no weight is trained; the layer `contrast` holds the
    contrast, or a pair for each step: at borders and elsewhere.

    Args:
        config: The diffusion's settings.
        make: What its layers are made of.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`.
    """
    make = make or Primitives()
    inputs = Inputs(config)
    contrasts = _choose_contrasts(inputs, config, make)
    gates = None
    if inputs.noise_level is not None:
        gates = make.layer(IterationGates, config.steps, config.tau, name="gates")(
            inputs.noise_level
        )
    step = _make_step(config, "step", make) if config.shared else None
    options = {"noisy": inputs.noisy} if config.reaction else {}
    u = inputs.noisy
    for n in range(config.steps):
        if gates is not None:
            options["gate"] = gates[..., n : n + 1]
        contrast = contrasts[0 if config.shared else n]
        u = (step or _make_step(config, f"step_{n}", make))(u, contrast=contrast, **options)
    return inputs.make_network(u, "perona_malik")


def _choose_contrasts(inputs: Inputs, config: Config, make: Primitives) -> list[Any]:
    """Gives the contrast that all steps share, or that of each."""
    start = [config.border_contrast, config.contrast] if config.border else [config.contrast]
    start = start * (1 if config.shared else config.steps)
    if config.scope == "fixed":
        values = SharedValues(start, learned=False, name="contrast")(inputs.noisy)
    elif config.scope == "global":
        layer = SharedValues([from_contrast(contrast) for contrast in start], name="contrast")
        values = to_contrast(layer(inputs.noisy))
    elif config.scope == "pixel":
        logits = [from_contrast(contrast) for contrast in start]
        values = to_contrast(choose_for_pixels(inputs, logits, "contrast", make))
    else:
        layer = make.layer(ContrastRegressor, start, name="contrast")
        values = make.pass_context(inputs, layer, inputs.seen)
    single = [values[..., i : i + 1] for i in range(len(start))]
    if not config.border:
        return single
    border = find_borders(inputs.noisy)
    mix = BorderMix(config.hard_border, name="border_mix")
    return [
        mix(border, keras.ops.minimum(one, other), keras.ops.maximum(one, other))
        for one, other in zip(single[0::2], single[1::2], strict=True)
    ]
