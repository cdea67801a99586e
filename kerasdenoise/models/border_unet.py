"""A U-Net that says where in a noisy image the borders are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models._convolutions import Window, find_receptive_field
from kerasdenoise.models._parts import Inputs
from kerasdenoise.runtime import keras_defaults


@dataclass(frozen=True)
class Config:
    """The U-Net's shape.

    Attributes:
        channels: Channels of the image, 1 or 3.
        widths: Channels of each level, from full resolution downwards.
        noise_level: Whether the network is told the level of the noise, as a second input.
    """

    channels: int = 3
    widths: tuple[int, ...] = (16, 32, 56)
    noise_level: bool = False

    def __post_init__(self) -> None:
        if not self.widths or min(*self.widths, self.channels) < 1:
            raise ModelError(str(self), "has no level or a number below 1", "give positive numbers")

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return 2 ** (len(self.widths) - 1)

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels; the shortcuts reach less far."""
        downs = len(self.widths) - 1
        block = [Window(3), Window(3)]
        windows = (
            [*block, Window(2, 2)] * downs + block + [Window(2, 2, transposed=True), *block] * downs
        )
        return find_receptive_field(windows, self.stride)


PRESETS = {"tiny": Config(widths=(8, 16)), "paper": Config()}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to the probability, at each pixel, of a border.

    The slides on learned anisotropic diffusion have a U-Net of around 100,000 parameters,
    convolutional alone and with a sigmoid at the end, and do not show its layers. These are the
    usual ones (Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015): two 3x3 convolutions a
    level, each with batch normalization and ReLU; maxima of 2x2 pixels on the way down,
    transposed 2x2 convolutions on the way up, and what was there on the way down beside them.
    With the widths 16, 32 and 56 it has 105,665 trainable weights, 105,377 for gray images.

    The probability is given in as many equal channels as the image has, so that a map is read
    and written as any picture is.

    Args:
        config: The network's shape.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32 in
        [0, 1]; sides are multiples of `config.stride`.
    """
    inputs = Inputs(config)
    x, shortcuts = inputs.seen, []
    for level, width in enumerate(config.widths):
        if level:
            shortcuts.append(x)
            x = keras.layers.MaxPooling2D(2, name=f"down_{level}")(x)
        x = _convolve_twice(x, width, f"encoder_{level}")
    for level in reversed(range(len(shortcuts))):
        width = config.widths[level]
        x = keras.layers.Conv2DTranspose(width, 2, strides=2, name=f"up_{level}")(x)
        x = keras.layers.Concatenate(name=f"skip_{level}")([x, shortcuts[level]])
        x = _convolve_twice(x, width, f"decoder_{level}")
    border = keras.layers.Conv2D(1, 1, activation="sigmoid", dtype="float32", name="border")(x)
    if config.channels > 1:
        border = keras.layers.Concatenate(dtype="float32", name="map")([border] * config.channels)
    return inputs.make_network(border, "border_unet")


def _convolve_twice(x: Any, width: int, name: str) -> Any:
    for i in (1, 2):
        x = keras.layers.Conv2D(
            width, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_conv{i}"
        )(x)
        x = keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, name=f"{name}_normalization{i}"
        )(x)
        x = keras.layers.ReLU(name=f"{name}_relu{i}")(x)
    return x
