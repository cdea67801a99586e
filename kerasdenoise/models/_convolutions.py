"""What convolutional architectures share: layers, activations, and how far a pixel reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasdenoise.errors import ModelError


def convolve(
    x: Any,
    filters: int,
    kernel: int,
    name: str,
    *,
    strides: int = 1,
    transposed: bool = False,
    **options: Any,
) -> Any:
    """Applies a new convolution to a tensor (batch, height, width, channels).

    Kernel and bias are drawn from U(-b, b), b = 1/sqrt(kernel^2 * channels): channels of the
    input, or of the output if it is transposed, as PyTorch counts them there.

    Args:
        x: The tensor.
        filters: Channels of the result.
        kernel: Height and width of the kernel.
        name: The layer's name.
        strides: Factor that the convolution shrinks by, or enlarges by if it is transposed.
        transposed: Whether it enlarges.
        **options: Other settings of the Keras layer, such as `use_bias`.
    """
    bound = (kernel**2 * (filters if transposed else x.shape[-1])) ** -0.5
    layer = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
    return layer(
        filters,
        kernel,
        strides=strides,
        padding="same",
        kernel_initializer=keras.initializers.RandomUniform(-bound, bound),
        bias_initializer=keras.initializers.RandomUniform(-bound, bound),
        name=name,
        **options,
    )(x)


def check_activation(architecture: str, name: str) -> None:
    """Refuses what Keras does not know.

    Args:
        architecture: Whose configuration it is.
        name: The activation's name in Keras.

    Raises:
        ModelError: If there is none of that name.
    """
    try:
        keras.activations.get(name)
    except ValueError as error:
        raise ModelError(
            f"{architecture} activation {name!r}",
            "is unknown to Keras",
            "give one like relu, elu, tanh, sigmoid or linear",
        ) from error


@dataclass(frozen=True)
class Window:
    """A convolution, pooling or transposed convolution, along one axis, padded "same".

    Attributes:
        size: Size of the kernel.
        stride: Step of the kernel: on the layer's input, or on its output if it is transposed.
        transposed: Whether the layer enlarges.
    """

    size: int
    stride: int = 1
    transposed: bool = False

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """Says which outputs see any of the inputs from `first` to `last`, both included.

        Positions are counted from the image's edge, on each grid; the kernel is at least as
        large as the stride, and the larger grid a multiple of it.
        """
        # Keras pads an odd number of pixels with the odd one at the end.
        before = (self.size - self.stride) // 2
        if self.transposed:
            return first * self.stride - before, last * self.stride - before + self.size - 1
        return -((self.size - 1 - first - before) // self.stride), (last + before) // self.stride


@dataclass(frozen=True)
class Shift:
    """A grid that is laid elsewhere: pixels are added before the first one, or cut off.

    Attributes:
        pixels: How many are added.
    """

    pixels: int

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """Says where pixels come to lie."""
        return first + self.pixels, last + self.pixels


def find_receptive_field(windows: Sequence[Window | Shift], stride: int) -> int:
    """Follows a pixel through all layers, to the furthest pixel that it changes.

    How far that is depends on where the pixel lies in its cell of the coarsest grid, so that
    each place is tried. A layer with a shortcut counts as its widest branch.

    Args:
        windows: The layers, from the noisy image to the denoised one.
        stride: Pixels in a cell of the coarsest grid.
    """
    radius = 0
    for pixel in range(stride):
        first = last = pixel
        for window in windows:
            first, last = window.reach(first, last)
        radius = max(radius, pixel - first, last - pixel)
    return radius
