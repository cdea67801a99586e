"""A diffusion model on the code of an autoencoder, without text."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.ddim_step import AngleLevels, ContentNoise, DdimStep
from kerasdenoise.layers.diffusion_step import DiffusionStep
from kerasdenoise.models import autoencoder, poisson_autoencoder
from kerasdenoise.models._convolutions import Window, find_receptive_field
from kerasdenoise.models._parts import DECODER, ENCODER
from kerasdenoise.models._primitives import LEVEL_CELL, LEVEL_WINDOWS, Primitives
from kerasdenoise.models.ddim import (
    PREDICTOR,
    SPREAD,
    draw_noise,
    make_inputs,
    make_network,
    run_chain,
    run_unet,
)
from kerasdenoise.models.unet import list_windows
from kerasdenoise.runtime import keras_defaults

_AUTOENCODERS: dict[str, Any] = {
    "autoencoder": autoencoder,
    "poisson_autoencoder": poisson_autoencoder,
}
_TAU = 0.2


@dataclass(frozen=True)
class Config:
    """The model's settings.

    Attributes:
        channels: Channels of the image, 1 or 3.
        autoencoder: Architecture and preset of the autoencoder, which is not trained: it gets its
            weights from a run, by `part_weights`.
        cleaner: What takes noise off the code: `unet` says what the noise is; `heat` lets each
            channel diffuse, by a coefficient that a U-Net gives for each of its entries.
        heat_steps: Steps of that diffusion.
        widths: Channels of each level of the U-Net, from the code's resolution downwards.
        blocks: Residual blocks of each level; all but the last have as many again on the way up.
        steps: Calls of the U-Net, from the picture's level of noise to none.
        eta: Share of the noise that a step draws anew, 0 to 1; see `ddim.Config`.
        seed: Of what is drawn.
        noise_level: Whether the network is told the level of the noise, as a second input, or
            estimates it by a small network of its own.
    """

    channels: int = 3
    autoencoder: str = "autoencoder/small"
    cleaner: Literal["unet", "heat"] = "unet"
    heat_steps: int = 4
    widths: tuple[int, ...] = (64, 96)
    blocks: tuple[int, ...] = (2, 1)
    steps: int = 4
    eta: float = 0.0
    seed: int = 0
    noise_level: bool = False

    def __post_init__(self) -> None:
        known = [
            f"{name}/{preset}" for name, each in _AUTOENCODERS.items() for preset in each.PRESETS
        ]
        if self.autoencoder not in known:
            raise ModelError(
                f"latent_ddim autoencoder {self.autoencoder!r}",
                "is unknown",
                f"known: {', '.join(known)}",
            )
        if self.cleaner not in ("unet", "heat"):
            raise ModelError(
                f"latent_ddim cleaner {self.cleaner!r}", "is unknown", "known: unet, heat"
            )
        if len(self.widths) != len(self.blocks) or not self.widths:
            raise ModelError(
                f"latent_ddim widths {self.widths} and blocks {self.blocks}",
                "are not one number each for the same levels",
                "give both as many numbers as there are levels",
            )
        if min(*self.widths, *self.blocks, self.channels, self.steps, self.heat_steps) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")
        # The layers refuse what is left.
        DdimStep(self.eta, name="step")
        ContentNoise(1, self.seed, name="drawn")

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        own = self.autoencoder_config.stride * 2 ** (len(self.widths) - 1)
        return own if self.noise_level else math.lcm(own, LEVEL_CELL)

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels."""
        around = self.autoencoder_config
        step = [Window(3), *list_windows(self.blocks), Window(3)]
        step += [Window(3)] * self.heat_steps * (self.cleaner == "heat")
        level = [] if self.noise_level else [*LEVEL_WINDOWS]
        chain = step * self.steps
        told = find_receptive_field(
            [*level, Window(around.stride, around.stride), *chain, *around.decoding], self.stride
        )
        seen = find_receptive_field([*around.encoding, *chain, *around.decoding], self.stride)
        return max(told if level else 0, seen)

    @property
    def autoencoder_config(self) -> Any:
        """The settings of the autoencoder."""
        name, _, preset = self.autoencoder.partition("/")
        return dataclasses.replace(_AUTOENCODERS[name].PRESETS[preset], channels=self.channels)


PRESETS = {
    "tiny": Config(autoencoder="autoencoder/tiny", heat_steps=2, widths=(8,), blocks=(1,), steps=2),
    "small": Config(),
    "heat": Config(cleaner="heat"),
    "poisson": Config(autoencoder="poisson_autoencoder/32x32"),
}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image, not clipped.

    Latent diffusion (Rombach et al., "High-resolution image synthesis with latent diffusion
    models", CVPR 2022) without its text, as the slides on learned anisotropic diffusion propose
    it: a frozen autoencoder, and between its halves a chain of steps that takes noise off the
    code. As in `ddim`, the chain starts at the noisy picture, and no step is random: the way is
    from the code of the noisy picture to that of the clean one. The noise of a code is not white,
    but fades with that of the picture.

    Args:
        config: The settings.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`. Inside are `encoder`, `decoder` and `predictor`,
        from a noisy code and the level of the picture's noise to the clean code. If it estimates
        the level, its parts are `noise_level` and `tile`; see `models.get_parts`.
    """
    name = config.autoencoder.partition("/")[0]
    around = _AUTOENCODERS[name].build(config.autoencoder_config)
    encoder, decoder = around.get_layer(ENCODER), around.get_layer(DECODER)
    encoder.trainable = decoder.trainable = False
    predictor = _build_predictor(config, decoder.input.shape[-1], Primitives())
    noisy, level = make_inputs(config.channels)
    code = encoder(noisy, training=False)
    cell = config.autoencoder_config.stride
    levels = keras.ops.average_pool(level, cell, cell)
    levels = AngleLevels(config.steps, SPREAD, name="levels")(levels)
    drawn = draw_noise(noisy, code.shape[-1], config)
    if drawn is not None:  # a code has unit variance, where pictures have SPREAD
        drawn = drawn[:, ::cell, ::cell] / SPREAD
    code = run_chain(lambda _, u, now: predictor([u, now]), code, levels, config.eta, drawn)
    denoised = decoder(code, training=False)
    return make_network(noisy, level, denoised, "latent_ddim", is_told=config.noise_level)


def _build_predictor(config: Config, channels: int, make: Primitives) -> keras.Model:
    """Builds what takes a noisy code and the level of the picture's noise to the clean code."""
    code, level = make_inputs(channels)
    spread = SPREAD * keras.ops.ones_like(level)
    angle = keras.ops.arctan2(level, spread)
    seen = run_unet(code, angle, channels, config, make)
    if config.cleaner == "unet":
        clean = code - keras.ops.sin(angle) * seen
    else:
        step = DiffusionStep(None, _TAU, name="heat")
        coefficient, clean = keras.ops.sigmoid(seen), code
        for _ in range(config.heat_steps):
            clean = step(clean, coefficient=coefficient)
    return keras.Model([code, level], clean, name=PREDICTOR)
