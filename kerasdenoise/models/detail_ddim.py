"""A denoiser that gives the mean, and a diffusion model that adds detail to it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.ddim_step import ContentNoise
from kerasdenoise.models import unet
from kerasdenoise.models._convolutions import Window, find_receptive_field
from kerasdenoise.models._parts import DETAIL, NOISE_LEVEL, TILE
from kerasdenoise.models._primitives import LEVEL_WINDOWS, Primitives
from kerasdenoise.models.ddim import CENTER, PREDICTOR, SPREAD, make_inputs, run_unet
from kerasdenoise.models.unet import list_windows
from kerasdenoise.runtime import keras_defaults

# What the clean picture differs by from the mean of all that it may be, as a share of the noise:
# measured with `photo`, it is 0.8 at a level of 2/255, and half as much at 20/255.
_SHARE = 0.8
_HALF = 20 / 255
# Less noise than this is not told apart.
FAINT = 1 / 255
# Height and width of what the network sees as one place.
_CELL = 2


class _Named(Primitives):
    """Gives layers with weights other names than those of the mean's network, for checkpoints."""

    def _make(self, filters: int, kernel: int, name: str, **options: Any) -> keras.layers.Conv2D:
        return super()._make(filters, kernel, f"detail_{name}", **options)


@dataclass(frozen=True)
class Config:
    """The settings of both networks.

    Attributes:
        channels: Channels of the image, 1 or 3.
        mean: Preset of `unet` that gives the mean. It is not trained: it gets its weights, and
            those of its estimate of the noise, from a saved model or a run, by `part_weights`.
        widths: Channels of each level of the network that gives detail, from half resolution
            downwards.
        blocks: Residual blocks of each level; all but the last have as many again on the way up.
        steps: Calls of that network, from noise to detail. One gives hardly any detail.
        seed: Seed of that noise, 0 to 4090, where none is given; another one gives other detail.
        noise_level: Whether the level of the noise is told, as a second input, or estimated.
    """

    channels: int = 3
    mean: str = "photo"
    widths: tuple[int, ...] = (32, 48)
    blocks: tuple[int, ...] = (1, 1)
    steps: int = 4
    seed: int = 0
    noise_level: bool = False

    def __post_init__(self) -> None:
        if self.mean not in unet.PRESETS:
            raise ModelError(
                f"detail_ddim mean {self.mean!r}",
                "is not a preset of unet",
                f"known: {', '.join(unet.PRESETS)}",
            )
        if len(self.widths) != len(self.blocks) or not self.widths:
            raise ModelError(
                f"detail_ddim widths {self.widths} and blocks {self.blocks}",
                "are not one number each for the same levels",
                "give both as many numbers as there are levels",
            )
        if min(*self.widths, *self.blocks, self.channels, self.steps) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")
        ContentNoise(1, self.seed, name="drawn")  # refuses other seeds

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return math.lcm(self._mean_config.stride, _CELL * 2 ** (len(self.widths) - 1))

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels."""
        cell, level = Window(_CELL, _CELL), [] if self.noise_level else [*LEVEL_WINDOWS]
        back = Window(_CELL, _CELL, transposed=True)
        mean = _list_unet(self._mean_config.blocks)
        chain = _list_unet(self.blocks) * self.steps
        return find_receptive_field([*level, cell, *mean, back, cell, *chain, back], self.stride)

    @property
    def mean_radius(self) -> int:
        """How far it reaches into the mean."""
        return self._mean_config.radius

    @property
    def _mean_config(self) -> unet.Config:
        return dataclasses.replace(
            unet.PRESETS[self.mean],
            channels=self.channels,
            noise_level=self.noise_level,
            estimates_level=not self.noise_level,
        )


PRESETS = {
    "tiny": Config(mean="tiny", widths=(8,), blocks=(1,), steps=2),
    "photo": Config(),
}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image, not clipped.

    A denoiser gives the mean of all clean pictures that the noisy one may be of. What one of them
    has beyond that mean, its detail, comes from a diffusion model, which sees the noisy picture,
    the mean and the level of the noise (Whang et al., "Deblurring via stochastic refinement", CVPR
    2022, who learn the residual of a prediction in this way). The mean contains what is certain, so
    that a small network is enough.

    The chain starts at noise of unit variance, in place of detail, which is taken to have 0.2 to
    0.8 of the noise's deviation, by its level. The network predicts `v` (Salimans and Ho,
    "Progressive distillation for fast sampling of diffusion models", ICLR 2022), with which each
    step is a rotation by the same angle, and no step divides by a small number. The first noise is
    a hash of the noisy picture (`layers.ContentNoise`); the steps draw none.

    `mean + share * detail` leads from least error to most natural: of all pictures that are as
    natural, no other has less error (Freirich, Michaeli and Meir, "A theory of the
    distortion-perception tradeoff in Wasserstein space", NeurIPS 2021, for ideal networks).

    Args:
        config: The settings.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`. Its parts are `tile`, which gives the mean,
        `detail`, and, unless it is told the level, `noise_level`; see `models.get_parts`. Inside
        `detail` is `predictor`, which is what is trained.
    """
    told = dataclasses.replace(config._mean_config, noise_level=False, estimates_level=True)
    around = unet.build(told)
    estimator, mean = around.get_layer(NOISE_LEVEL), around.get_layer(TILE)
    estimator.trainable = mean.trainable = False
    detail = _build_detail(config)
    noisy, level = make_inputs(config.channels)
    inputs = [noisy, level] if config.noise_level else noisy
    if not config.noise_level:
        level = estimator(noisy, training=False)
    smooth = mean([noisy, level], training=False)
    seed = keras.ops.zeros_like(level[:, :1, :1]) + float(config.seed)
    added = detail([noisy, level, smooth, seed])
    denoised = keras.layers.Add(name="denoised", dtype="float32")([smooth, added])
    return keras.Model(inputs, denoised, name="detail_ddim")


def scale_of(level: Any) -> Any:
    """Returns what the deviation of detail is taken to be, where noise has this level."""
    return _SHARE * level / (1 + level / _HALF)


def _build_detail(config: Config) -> keras.Model:
    """Builds what draws detail, by a chain of steps."""
    noisy, level = make_inputs(config.channels)
    mean = keras.Input((None, None, config.channels), name="mean")
    seed = keras.Input((1, 1, 1), name="seed")
    predictor = _build_predictor(config, _Named())
    u = ContentNoise(config.channels, config.seed, name="drawn")(noisy, seed)
    step = math.pi / 2 / config.steps
    for left in range(config.steps, 0, -1):
        angle = keras.ops.zeros_like(level) + left * step
        velocity = predictor([u, noisy, level, mean, angle])
        u = math.cos(step) * u - math.sin(step) * velocity
    detail = scale_of(level) * u  # none where there is no noise
    return keras.Model([noisy, level, mean, seed], detail, name=DETAIL)


def _build_predictor(config: Config, make: Primitives) -> keras.Model:
    """Builds what predicts, of detail and noise mixed at an angle, how both change with it."""
    ops = keras.ops
    noisy, level = make_inputs(config.channels)
    mixed, mean = (
        keras.Input((None, None, config.channels), name=name) for name in ("mixed", "mean")
    )
    angle = keras.Input((None, None, 1), name="angle")
    removed = (noisy - mean) / ops.maximum(level, FAINT)
    strength = ops.arctan2(level, SPREAD * ops.ones_like(level))
    seen = make.join([mixed, removed, (mean - CENTER) / SPREAD, strength], "conditions")
    cells = ops.space_to_depth(seen, _CELL)
    turn = ops.average_pool(angle, _CELL, _CELL)
    found = run_unet(cells, turn, config.channels * _CELL**2, config, make)
    velocity = ops.depth_to_space(found, _CELL)
    return keras.Model([mixed, noisy, level, mean, angle], velocity, name=PREDICTOR)


def _list_unet(blocks: tuple[int, ...]) -> list[Window]:
    """Lists what a U-Net between two 3x3 convolutions does, for `find_receptive_field`."""
    return [Window(3), *list_windows(blocks), Window(3)]
