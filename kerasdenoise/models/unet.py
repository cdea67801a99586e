"""A bias-free residual U-Net that works at half resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models._inputs import make_inputs
from kerasdenoise.models._noise_level import CELL, RADIUS, estimate_noise_level
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
                str(self), "is told the noise level and estimates it", "choose one of both"
            )
        if min(*self.widths, *self.blocks, self.channels) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return max(self._grid, CELL) if self.estimates_level else self._grid

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels.

        Each 3x3 convolution reaches one step of its level's grid. Strided and transposed
        convolutions do not overlap; they only align everything to the coarsest grid.
        """
        reach = 2 * 2  # the head and the tail, at half resolution
        if self.estimates_level:
            reach += RADIUS
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
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image, neither clipped.

    Without biases and with ReLU alone, scaling the input scales the output: the network
    denoises noise levels that it has never seen (Mohan et al., "Robust and interpretable
    blind image denoising via bias-free convolutional neural networks", ICLR 2020, whose
    U-Net has batch normalization and concatenation; here are residual blocks and sums).
    Half resolution on rearranged pixels is FFDNet's (Zhang et al., IEEE TIP 2018).

    Args:
        config: The network's shape.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`.
    """
    inputs = make_inputs(config)
    seen = inputs.seen
    if config.estimates_level:
        level = estimate_noise_level(inputs.noisy)
        seen = keras.layers.Concatenate(name="seen")([inputs.noisy, level])
    x = keras.ops.space_to_depth(seen, 2)
    x = _conv(config.widths[0], 3, "head")(x)
    skips = []
    for level, (width, blocks) in enumerate(zip(config.widths, config.blocks, strict=True)):
        if level > 0:
            x = _conv(width, 2, f"down_{level}", strides=2)(x)
        for block in range(blocks):
            x = residual_block(x, width, f"encoder_{level}_{block}")
        skips.append(x)
    x = skips.pop()
    for level in reversed(range(len(skips))):
        width = config.widths[level]
        x = _conv(4 * width, 1, f"up_{level}")(x)
        x = keras.ops.depth_to_space(x, 2)
        x = keras.layers.Add(name=f"skip_{level}")([x, skips[level]])
        for block in range(config.blocks[level]):
            x = residual_block(x, width, f"decoder_{level}_{block}")
    x = _conv(4 * config.channels, 3, "tail", kernel_initializer="zeros")(x)
    noise = keras.ops.depth_to_space(x, 2)
    denoised = keras.layers.Subtract(name="denoised", dtype="float32")([inputs.noisy, noise])
    return keras.Model(inputs.all, denoised, name="unet")


def residual_block(x: Any, width: int, name: str) -> Any:
    """Adds two convolutions of what is given to it."""
    branch = _conv(width, 3, f"{name}_conv1", activation="relu")(x)
    branch = _conv(width, 3, f"{name}_conv2", kernel_initializer=near_zero())(branch)
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def near_zero() -> keras.initializers.Initializer:
    """Draws a block's second convolution so small that the block starts as the identity.

    With the usual scale it learns more slowly.
    """
    return keras.initializers.VarianceScaling(0.02, "fan_in", "truncated_normal")


def _conv(filters: int, kernel: int, name: str, **options: Any) -> keras.layers.Conv2D:
    options = {"kernel_initializer": "he_normal", **options}
    return keras.layers.Conv2D(
        filters, kernel, padding="same", use_bias=False, name=name, **options
    )
