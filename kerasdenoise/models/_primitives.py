"""What networks are made of where files for phones, or of integers, have something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kerasdenoise.models._convolutions import Window
from kerasdenoise.models._parts import NOISE_LEVEL, Inputs, copy_weights

# A symbolic tensor, or what stands for one while a network is built.
Value = Any

# The estimate is made for cells of this many pixels a side.
LEVEL_CELL = 8

# How far a pixel reaches the estimate: three convolutions, each on a grid twice as wide as the one
# before, and then all of a cell.
LEVEL_RADIUS = 2 + 4 + 8 + LEVEL_CELL - 1
# The same, layer by layer.
LEVEL_WINDOWS = (*[Window(2, 2), Window(3)] * 3, Window(LEVEL_CELL, LEVEL_CELL, transposed=True))

_WIDTHS = (16, 32, 32)


class Primitives:
    """Applies the layers of a network, by names: all convolutions are without bias and `same`.

    `build` passes on what these methods return, and looks into none of it. So the same `build`
    makes other networks with the same weights, by subclasses: `export.mobile.MobilePrimitives` and
    `training.fake_quantization.RoundingPrimitives`.

    Args:
        convolution: The class of the convolutions.

    Attributes:
        kernels: By names of layers, how their kernels are made of those of a plain network.
    """

    def __init__(self, convolution: type[keras.layers.Conv2D] = keras.layers.Conv2D) -> None:
        self._convolution = convolution
        self.kernels: dict[str, Callable[[np.ndarray], np.ndarray]] = {}

    def round_picture(self, picture: Any, name: str) -> Any:
        """Gives a tensor the values that pictures have, where a network has no others."""
        del name
        return picture

    def take(self, tensor: Any, name: str, *, is_picture: bool) -> Value:
        """Takes an input: a picture, which was rounded if any is, or something else."""
        del name, is_picture
        return tensor

    def give(self, value: Value) -> Any:
        """Gives the tensor of an output."""
        return value

    def convolve(
        self, x: Value, filters: int, kernel: int, name: str, strides: int = 1, **options: Any
    ) -> Value:
        """Convolves.

        Args:
            x: Values (batch, height, width, channels).
            filters: Channels of the result.
            kernel: Height and width of the kernel: odd, or as large as `strides`.
            name: The layer's name.
            strides: By what it shrinks.
            **options: Other settings of the Keras layer: `activation` (ReLU or none), `dtype`,
                `kernel_initializer`.
        """
        return self._make(filters, kernel, name, strides=strides, **options)(x)

    def gather(
        self, x: Value, block: int, filters: int, kernel: int, name: str, **options: Any
    ) -> Value:
        """Moves blocks of pixels into channels, and convolves; see `convolve`."""
        return self._make(filters, kernel, name, **options)(keras.ops.space_to_depth(x, block))

    def spread(
        self, x: Value, block: int, filters: int, kernel: int, name: str, **options: Any
    ) -> Value:
        """Convolves, and moves channels into blocks of pixels, of `filters` channels."""
        convolved = self._make(filters * block**2, kernel, name, **options)(x)
        return keras.ops.depth_to_space(convolved, block)

    def enlarge(self, x: Value, block: int, name: str) -> Value:
        """Makes a block of equal pixels of each pixel."""
        del name
        # Not by UpSampling2D, after which LiteRT does not know how many channels there are.
        return keras.ops.depth_to_space(keras.ops.tile(x, (1, 1, 1, block**2)), block)

    def absolute(self, x: Value, name: str) -> Value:
        """Gives the absolute values."""
        del name
        return keras.ops.abs(x)

    def join(self, values: Sequence[Value], name: str) -> Value:
        """Puts pictures, and what has their scale, behind each other along the channels."""
        return keras.layers.Concatenate(name=name)(list(values))

    def add(self, values: Sequence[Value], name: str) -> Value:
        """Adds."""
        return keras.layers.Add(name=name)(list(values))

    def subtract(self, x: Value, y: Value, name: str) -> Value:
        """Subtracts the second from the first, in float32."""
        return keras.layers.Subtract(name=name, dtype="float32")([x, y])

    def layer(self, kind: type[Any], *args: Any, **options: Any) -> Any:
        """Makes a layer of this package, of which accelerators may need another form.

        Args:
            kind: The layer's class.
            *args: What that takes.
            **options: What that takes.
        """
        return kind(*args, **options)

    def pass_context(self, inputs: Inputs, layer: keras.layers.Layer, x: Value) -> Value:
        """Applies a layer that needs a statistic of the whole image; see `Inputs.pass_context`."""
        return inputs.pass_context(layer, x)

    def _make(self, filters: int, kernel: int, name: str, **options: Any) -> keras.layers.Conv2D:
        options = {"padding": "same", "kernel_initializer": "he_normal", **options}
        return self._convolution(filters, kernel, use_bias=False, name=name, **options)


def rebuild(
    network: keras.Model, build: Callable[[Primitives], keras.Model], make: Primitives
) -> keras.Model:
    """Builds a network again, with its weights.

    Args:
        network: The network, made of the plain `Primitives` or of others with their weights.
        build: What builds it; see `models.find_builder`.
        make: What it becomes made of.
    """
    rebuilt = build(make)
    copy_weights(network, rebuilt, make.kernels)
    return rebuilt


def build_estimator(channels: int, make: Primitives) -> keras.Model:
    """Builds the part of a network that estimates the standard deviation of the noise.

    A small network of its own, as in Guo et al., "Toward convolutional blind denoising of real
    photographs" (CBDNet), CVPR 2019. Unlike theirs it has no biases, so that twice the image
    has twice the noise, one level for all channels, and cells of 8x8 pixels, in which noise
    can be measured.

    Args:
        channels: Channels of the images.
        make: What it is made of.

    Returns:
        From noisy images (batch, height, width, channels), sides multiples of 8, to the level
        (batch, height, width, 1), float32 and equal within each cell.
    """
    noisy = keras.Input((None, None, channels), name="noisy")
    x = make.take(noisy, "noisy", is_picture=True)
    x = make.gather(x, 2, _WIDTHS[0], 3, "level_conv1", activation="relu")
    for number, width in enumerate(_WIDTHS[1:], 2):
        x = make.convolve(x, width, 2, f"level_down{number}", strides=2, activation="relu")
        x = make.convolve(x, width, 3, f"level_conv{number}", activation="relu")
    cells = make.convolve(x, 1, 1, "level_cells", dtype="float32")
    level = make.enlarge(make.absolute(cells, "level_absolute"), LEVEL_CELL, "level")
    return keras.Model(noisy, make.give(level), name=NOISE_LEVEL)
