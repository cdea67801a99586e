"""A bias-free residual U-Net that works at half resolution."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models._convolutions import Window
from kerasdenoise.models._parts import TILE, Inputs
from kerasdenoise.models._primitives import LEVEL_CELL, LEVEL_RADIUS, Primitives, build_estimator
from kerasdenoise.runtime import keras_defaults


@dataclass(frozen=True)
class Config:
    """The U-Net's shape.

    Attributes:
        channels: Channels of the image, 1 or 3.
        widths: Channels of each level, from half resolution downwards.
        blocks: Residual blocks of each level; all but the last have as many again on the
            way up.
        noise_level: Whether the network is told the level of the noise, as a second input.
        estimates_level: Whether it tells itself, by a small network that estimates the level.
    """

    channels: int = 3
    widths: tuple[int, ...] = (32, 64, 128)
    blocks: tuple[int, ...] = (1, 1, 2)
    noise_level: bool = False
    estimates_level: bool = False

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks) or not self.widths:
            raise ModelError(
                f"unet widths {self.widths} and blocks {self.blocks}",
                "are not one number each for the same levels",
                "give both as many numbers as there are levels",
            )
        if self.noise_level and self.estimates_level:
            raise ModelError(
                str(self), "is told the noise level and estimates it", "choose one of them"
            )
        if min(*self.widths, *self.blocks, self.channels) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return max(self._grid, LEVEL_CELL) if self.estimates_level else self._grid

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels.

        Each 3x3 convolution reaches one step of its level's grid. Strided and transposed
        convolutions do not overlap; they only align everything to the coarsest grid.
        """
        reach = 2 * 2  # the head and the tail, at half resolution
        if self.estimates_level:
            reach += LEVEL_RADIUS
        deepest = len(self.blocks) - 1
        for level, blocks in enumerate(self.blocks):
            convolutions = 2 * blocks * (1 if level == deepest else 2)
            reach += convolutions * 2 ** (level + 1)
        return reach + self._grid - 1

    @property
    def _grid(self) -> int:
        """Edge of a cell of the coarsest grid, in pixels."""
        return 2 ** len(self.widths)


PRESETS = {
    "tiny": Config(widths=(4, 8), blocks=(1, 1)),
    "small": Config(widths=(16, 32, 64)),
    "medium": Config(),
    "large": Config(widths=(64, 128, 256), blocks=(2, 2, 4)),
    # What ships: less arithmetic than a quarter of FFDNet's, most of it at half resolution. Deep
    # and narrow learns more than wide (docs/ablation.md).
    "photo": Config(widths=(32, 48, 64), blocks=(3, 2, 2), estimates_level=True),
    "photo_tiny": Config(widths=(24, 32, 40), blocks=(1, 1, 1)),
    # Twice the channels of `photo`, grown from it.
    "photo_large": Config(widths=(64, 96, 128), blocks=(3, 2, 2), estimates_level=True),
}


@keras_defaults()
def build(config: Config, make: Primitives | None = None) -> keras.Model:
    """Builds the network: noisy image to denoised image, neither clipped.

    Without biases and with ReLU alone, scaling the input scales the output: the network
    denoises noise levels that it has never seen (Mohan et al., "Robust and interpretable
    blind image denoising via bias-free convolutional neural networks", ICLR 2020, whose
    U-Net has batch normalization and concatenation; here are residual blocks and sums).
    Half resolution on rearranged pixels is FFDNet's (Zhang et al., IEEE TIP 2018).

    Args:
        config: The network's shape.
        make: What it is made of, if it is for phones or of integers.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`. If it estimates the noise level, its parts are
        `noise_level` and `tile`; see `models.get_parts`.
    """
    make = make or Primitives()
    if not config.estimates_level:
        inputs = Inputs(config)
        pixels = make.round_picture(inputs.noisy, "pixels")
        denoised = make.round_picture(
            _denoise(config, make, pixels, inputs.noise_level), "denoised_pixels"
        )
        return inputs.make_network(denoised, "unet")
    estimator = build_estimator(config.channels, make)
    told = Inputs(dataclasses.replace(config, estimates_level=False, noise_level=True))
    tile = keras.Model(
        [told.noisy, told.noise_level],
        _denoise(config, make, told.noisy, told.noise_level),
        name=TILE,
    )
    noisy = keras.Input((None, None, config.channels), name="noisy")
    pixels = make.round_picture(noisy, "pixels")
    denoised = make.round_picture(tile([pixels, estimator(pixels)]), "denoised_pixels")
    return keras.Model(noisy, denoised, name="unet")


def _denoise(config: Config, make: Primitives, pixels: Any, noise_level: Any) -> Any:
    """Denoises a tensor of pixels, by the level of the noise unless that is None."""
    noisy = seen = make.take(pixels, "noisy", is_picture=True)
    if noise_level is not None:
        level = make.take(noise_level, "noise_level", is_picture=False)
        seen = make.join([noisy, level], "seen")
    x = make.gather(seen, 2, config.widths[0], 3, "head")
    x = run_levels(x, config.widths, config.blocks, make)
    noise = make.spread(x, 2, config.channels, 3, "tail", kernel_initializer="zeros")
    return make.give(make.subtract(noisy, noise, "denoised"))


def run_levels(x: Any, widths: Sequence[int], blocks: Sequence[int], make: Primitives) -> Any:
    """Passes features down all levels and up again.

    Args:
        x: The features (batch, height, width, `widths[0]`), sides multiples of
            2^(levels - 1).
        widths: Channels of each level.
        blocks: Residual blocks of each level; all but the last have as many again on the way up.
        make: What the levels are made of.

    Returns:
        Features of the same shape.
    """
    skips = []
    for level, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        if level > 0:
            x = make.convolve(x, width, 2, f"down_{level}", strides=2)
        for block in range(count):
            x = residual_block(x, width, f"encoder_{level}_{block}", make)
        skips.append(x)
    x = skips.pop()
    for level in reversed(range(len(skips))):
        x = make.spread(x, 2, widths[level], 1, f"up_{level}")
        x = make.add([x, skips[level]], f"skip_{level}")
        for block in range(blocks[level]):
            x = residual_block(x, widths[level], f"decoder_{level}_{block}", make)
    return x


def list_windows(levels: Sequence[int]) -> list[Window]:
    """Lists what `run_levels` does, for `find_receptive_field`; shortcuts reach less far.

    Args:
        levels: Residual blocks of each level.
    """
    windows: list[Window] = []
    for level, count in enumerate(levels):
        windows += [Window(2, 2)] * (level > 0) + [Window(3)] * 2 * count
    for count in reversed(levels[:-1]):
        windows += [Window(2, 2, transposed=True), *[Window(3)] * 2 * count]
    return windows


def residual_block(x: Any, width: int, name: str, make: Primitives) -> Any:
    """Adds two convolutions of what is given to it."""
    branch = make.convolve(x, width, 3, f"{name}_conv1", activation="relu")
    branch = make.convolve(branch, width, 3, f"{name}_conv2", kernel_initializer=near_zero())
    return make.add([x, branch], f"{name}_add")


def near_zero() -> keras.initializers.Initializer:
    """Draws a block's second convolution so small that the block starts as the identity.

    With the usual scale it learns more slowly.
    """
    return keras.initializers.VarianceScaling(0.02, "fan_in", "truncated_normal")
