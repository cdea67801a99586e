"""A denoising diffusion implicit model that starts at the noisy picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.block_dct import BlockDct, HeatDecay
from kerasdenoise.layers.ddim_step import AngleEmbedding, AngleLevels, ContentNoise, DdimStep
from kerasdenoise.models._convolutions import Shift, Window, find_receptive_field
from kerasdenoise.models._parts import TILE
from kerasdenoise.models._primitives import (
    LEVEL_CELL,
    LEVEL_WINDOWS,
    Primitives,
    build_estimator,
)
from kerasdenoise.models.unet import list_windows, run_levels
from kerasdenoise.runtime import keras_defaults

# The network within, from a noisy picture and the level of its noise to the clean picture.
PREDICTOR = "predictor"

# What is taken for mean and standard deviation of pictures, on the [0, 1] scale.
CENTER, SPREAD = 0.5, 0.25

_EMBEDDING = 16
# Where the sphere's radius starts: at sigmoid(3) = 0.95 of that of the noisy block.
_RADIUS = 3.0
_EPSILON = 1e-6
_SPACES = ("pixels", "frequencies", "sphere")


class Chain(Protocol):
    """How a chain of steps draws noise."""

    @property
    def steps(self) -> int:
        """How many steps."""
        ...

    @property
    def eta(self) -> float:
        """Share of the noise that a step draws anew."""
        ...

    @property
    def seed(self) -> int:
        """Seed of what is drawn."""
        ...


class Levels(Protocol):
    """The shape of a U-Net."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        ...

    @property
    def blocks(self) -> tuple[int, ...]:
        """Residual blocks of each level."""
        ...


@dataclass(frozen=True)
class Config:
    """The sampler's and its network's settings.

    Attributes:
        channels: Channels of the image, 1 or 3.
        space: Where the network removes noise: `pixels`; `frequencies`, the cosine transform of
            blocks, by the heat equation; `sphere`, blocks scaled to equal norm.
        block: Height and width of a block of `frequencies` and `sphere`; `pixels` has blocks of 2.
        widths: Channels of each level of the network, whose first one has a place for each block.
        blocks: Residual blocks of each level; all but the last have as many again on the
            way up.
        steps: Calls of the network, from the picture's level of noise to none. One gives the mean
            of all clean pictures that the noisy one may be of, as any denoiser; more give one of
            them, sharper and farther from the truth.
        eta: Share of the noise that a step draws anew, 0 to 1, in place of scaling it; see
            `layers.DdimStep`. It is a hash of the picture, so that results do not depend on tiles;
            see `layers.ContentNoise`.
        seed: Of that hash; another one gives another picture.
        noise_level: Whether the network is told the level of the noise, as a second input, or
            estimates it by a small network of its own.
    """

    channels: int = 3
    space: Literal["pixels", "frequencies", "sphere"] = "pixels"
    block: int = 8
    widths: tuple[int, ...] = (32, 64, 96)
    blocks: tuple[int, ...] = (1, 1, 1)
    steps: int = 4
    eta: float = 0.0
    seed: int = 0
    noise_level: bool = False

    def __post_init__(self) -> None:
        if self.space not in _SPACES:
            raise ModelError(
                f"ddim space {self.space!r}", "is unknown", f"known: {', '.join(_SPACES)}"
            )
        if len(self.widths) != len(self.blocks) or not self.widths:
            raise ModelError(
                f"ddim widths {self.widths} and blocks {self.blocks}",
                "are not one number each for the same levels",
                "give both as many numbers as there are levels",
            )
        if min(*self.widths, *self.blocks, self.channels, self.steps) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")
        if self.block < 2 or self.block % 2:
            raise ModelError(
                f"ddim block {self.block}", "is not even and above 0", "give one such as 8"
            )
        # The layers refuse what is left.
        DdimStep(self.eta, name="step")
        ContentNoise(1, self.seed, name="drawn")

    @property
    def cell(self) -> int:
        """Height and width of what the network sees as one place."""
        return 2 if self.space == "pixels" else self.block

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return self.grid if self.noise_level else math.lcm(self.grid, LEVEL_CELL)

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels."""
        cell = self.cell
        step = [Window(cell, cell), Window(3), *list_windows(self.blocks), Window(3)]
        step += [Window(cell, cell, transposed=True)]
        windows: list[Window | Shift] = [] if self.noise_level else [*LEVEL_WINDOWS]
        for number in range(self.steps):
            windows += [Shift(self.shift(number)), *step, Shift(-self.shift(number))]
        return find_receptive_field(windows, self.stride)

    @property
    def grid(self) -> int:
        """Edge of a cell of the network's coarsest grid, in pixels."""
        return self.cell * 2 ** (len(self.widths) - 1)

    def shift(self, number: int) -> int:
        """By how many pixels the blocks of a step are moved, so that their edges do not add up."""
        return self.block // 2 if self.space != "pixels" and number % 2 else 0


PRESETS = {
    "tiny": Config(widths=(8,), blocks=(1,), steps=2),
    "pixels": Config(),
    "frequencies": Config(space="frequencies", widths=(96,), blocks=(4,)),
    "sphere": Config(space="sphere", widths=(96,), blocks=(4,)),
}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image, not clipped.

    A diffusion model learns to take noise of any level off pictures, and makes new pictures of
    noise by doing so step by step (Song, Meng and Ermon, "Denoising diffusion implicit models",
    ICLR 2021; the slides on learned anisotropic diffusion propose it, by the example on keras.io).
    A noisy picture is a point on such a way: its signal has the rate 1 / sqrt(1 + (level /
    spread)^2). So here the way starts there, and goes on to no noise at all, in steps of equal
    angle. None of them is random, unless `eta` is above 0. What keras.io's example ends at, 0.95 of
    signal, is a noise level of 21/255.

    All three spaces have a U-Net that sees the picture scaled to unit variance, and an embedding
    of the angle:

    - `pixels`: it says what the noise is, which is subtracted;
    - `frequencies`: it gives each entry of the cosine transform of each block a conductivity, by
      which it decays as heat does (`layers.HeatDecay`). The slides' heat equation is one for the
      whole picture; blocks have the same result in tiles. The noise in the mean of a block stays,
      as does the picture's mean in the heat equation; blocks lie elsewhere in every other step.
      Whatever the weights, the picture's distance from middle gray shrinks: it is stable without
      any condition;
    - `sphere`: blocks are scaled to the norm of unit variance, turned on that sphere and scaled
      back, by a radius that is no larger; so the same holds.

    Args:
        config: The settings.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`. If it estimates the noise level, its parts are
        `noise_level` and `tile`; see `models.get_parts`. Inside is `predictor`, which takes a
        noisy picture and its level, and is what is trained.
    """
    predictor = _build_predictor(config, Primitives())

    def predict(number: int, u: Any, level: Any) -> Any:
        shift = config.shift(number)
        if not shift:
            return predictor([u, level])
        sides = (shift, config.grid - shift)
        around = ((0, 0), sides, sides, (0, 0))
        # With what is zero for the network, so that nothing of it flows into the picture.
        moved = keras.ops.pad(u, around, constant_values=CENTER), keras.ops.pad(level, around)
        inner = slice(sides[0], -sides[1])
        return predictor(list(moved))[:, inner, inner]

    noisy, level = make_inputs(config.channels)
    levels = AngleLevels(config.steps, SPREAD, name="levels")(level)
    drawn = draw_noise(noisy, config.channels, config)
    denoised = run_chain(predict, noisy, levels, config.eta, drawn)
    return make_network(noisy, level, denoised, "ddim", is_told=config.noise_level)


def make_inputs(channels: int) -> tuple[Any, Any]:
    """Makes the inputs of what denoises by the level of the noise."""
    noisy = keras.Input((None, None, channels), name="noisy")
    return noisy, keras.Input((None, None, 1), name="noise_level")


def make_network(noisy: Any, level: Any, denoised: Any, name: str, *, is_told: bool) -> keras.Model:
    """Makes the network, which is told the level of the noise or estimates it.

    Args:
        noisy: Its input.
        level: The level of the noise.
        denoised: What it makes of them.
        name: The architecture's name.
        is_told: Whether it is told the level.
    """
    if is_told:
        return keras.Model([noisy, level], denoised, name=name)
    tile = keras.Model([noisy, level], denoised, name=TILE)
    given, _ = make_inputs(noisy.shape[-1])
    estimator = build_estimator(noisy.shape[-1], Primitives())
    return keras.Model(given, tile([given, estimator(given)]), name=name)


def draw_noise(noisy: Any, channels: int, config: Chain) -> Any:
    """Draws the new noise of all steps, one behind the other along the channels; None for none.

    Args:
        noisy: The picture.
        channels: Channels of what is noisy in a step.
        config: Says how much is drawn.
    """
    if not config.eta or config.steps == 1:  # the last step leaves no noise
        return None
    return ContentNoise((config.steps - 1) * channels, config.seed, name="drawn")(noisy)


def run_chain(
    predict: Callable[[int, Any, Any], Any], noisy: Any, levels: Any, eta: float, drawn: Any
) -> Any:
    """Takes all noise off a picture, or off a code of one, step by step.

    Args:
        predict: From the number of a step, what is noisy and its level to what may be clean.
        noisy: The picture or code (batch, height, width, channels).
        levels: The standard deviation of the picture's noise before each step, and 0 after the
            last (batch, height, width, steps + 1).
        eta: Share of the noise that a step draws anew.
        drawn: The result of `draw_noise`.
    """
    u, channels = noisy, noisy.shape[-1]
    last = levels.shape[-1] - 2
    for number in range(last + 1):
        clean = predict(number, u, levels[..., number : number + 1])
        now = levels[..., number : number + 2]
        if drawn is None or number == last:
            u = DdimStep(name=f"step_{number}")(u, clean, now)
        else:
            sample = drawn[..., number * channels : (number + 1) * channels]
            u = DdimStep(eta, name=f"step_{number}")(u, clean, now, sample=sample)
    return u


def _build_predictor(config: Config, make: Primitives) -> keras.Model:
    """Builds what takes a noisy picture and the level of its noise to the clean picture."""
    noisy, level = make_inputs(config.channels)
    cells = keras.ops.space_to_depth(noisy - CENTER, config.cell)
    sigma = keras.ops.average_pool(level, config.cell, config.cell)
    cells = _CLEANERS[config.space](cells, sigma, config, make)
    clean = keras.ops.depth_to_space(cells, config.cell) + CENTER
    return keras.Model([noisy, level], clean, name=PREDICTOR)


def _subtract_noise(cells: Any, sigma: Any, config: Config, make: Primitives) -> Any:
    scaled, angle = _to_unit_variance(cells, sigma)
    return cells - sigma * run_unet(scaled, angle, cells.shape[-1], config, make)


def _let_decay(cells: Any, sigma: Any, config: Config, make: Primitives) -> Any:
    waves = BlockDct(config.block, name="dct")(cells)
    scaled, angle = _to_unit_variance(waves, sigma)
    rates = run_unet(scaled, angle, cells.shape[-1], config, make)
    waves = HeatDecay(config.block, name="heat")(waves, rates)
    return BlockDct(config.block, inverse=True, name="inverse_dct")(waves)


def _turn(cells: Any, sigma: Any, config: Config, make: Primitives) -> Any:
    ops = keras.ops
    own = ops.mean(ops.square(cells), axis=-1, keepdims=True)
    power = own + _EPSILON
    signal = ops.sqrt(ops.maximum(power - ops.square(sigma), 0.0) + _EPSILON)
    norm = ops.sqrt(ops.square(signal) + ops.square(sigma))
    angle = ops.arctan2(sigma, signal)
    size = cells.shape[-1]
    result = run_unet(cells / ops.sqrt(power), angle, size + 1, config, make)
    turned = signal / norm * (cells / ops.sqrt(power)) - sigma / norm * result[..., :size]
    turned = turned / ops.sqrt(ops.mean(ops.square(turned), axis=-1, keepdims=True) + _EPSILON)
    radius = own / ops.sqrt(power) * ops.sigmoid(result[..., size:] + _RADIUS)
    return turned * radius


_CLEANERS = {"pixels": _subtract_noise, "frequencies": _let_decay, "sphere": _turn}


def _to_unit_variance(values: Any, sigma: Any) -> tuple[Any, Any]:
    """Scales noisy values to unit variance, and returns the angle of their noise as well."""
    spread = SPREAD * keras.ops.ones_like(sigma)
    norm = keras.ops.sqrt(keras.ops.square(spread) + keras.ops.square(sigma))
    return values / norm, keras.ops.arctan2(sigma, spread)


def run_unet(scaled: Any, angle: Any, filters: int, config: Levels, make: Primitives) -> Any:
    """Gives numbers for each place, by what is there and the angle of its noise.

    Args:
        scaled: Values of about unit variance (batch, height, width, channels).
        angle: From 0 for no noise to pi/2 for noise alone (batch, height, width, 1).
        filters: How many numbers; all 0 at first.
        config: Says widths and blocks.
        make: What it is made of.
    """
    embedded = AngleEmbedding(_EMBEDDING, name="embedding")(angle)
    x = make.join([scaled, embedded], "seen")
    x = make.convolve(x, config.widths[0], 3, "head")
    x = run_levels(x, config.widths, config.blocks, make)
    return make.convolve(x, filters, 3, "tail", kernel_initializer="zeros", dtype="float32")
