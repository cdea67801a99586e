"""Filters of noise, applied to its spectrum."""

from __future__ import annotations

import math

import keras

from kerasdenoise.tensors import Tensor


def gaussian_response(width: Tensor, height: int, wide: int) -> Tensor:
    """The frequency response of a Gaussian window.

    Args:
        width: (batch, 1, 1, 1), the window's standard deviation in pixels; 0 keeps everything.
        height: Rows of the images.
        wide: Columns of the images.

    Returns:
        (batch, 1, height, wide) in [0, 1], in the order of `filter_pair`.
    """
    ops = keras.ops
    exponent = -2.0 * math.pi**2 * ops.square(width)
    down = ops.exp(exponent * ops.expand_dims(_squared_frequencies(height), -1))
    return down * ops.exp(exponent * _squared_frequencies(wide))


def _squared_frequencies(size: int | Tensor) -> Tensor:
    """In cycles per pixel; the second half of a spectrum is negative."""
    ops = keras.ops
    places = ops.cast(ops.arange(size), "float32") / ops.cast(size, "float32")
    return ops.square(places - ops.floor(places + 0.5))


def filter_pair(first: Tensor, second: Tensor, response: Tensor) -> tuple[Tensor, Tensor]:
    """Filters two sets of images with the same response; borders wrap around.

    So noise is equally strong everywhere; it has no content that wrapping could tear.

    Args:
        first: (batch, height, width, channels).
        second: Of the same shape.
        response: The response of each frequency, (batch, channels, height, width), even in both
            axes.

    Returns:
        Both filtered, in the same shape.
    """
    ops = keras.ops
    # An even response keeps real and imaginary parts apart: one transform serves both.
    planes = [ops.transpose(images, (0, 3, 1, 2)) for images in (first, second)]
    real, imaginary = ops.fft2((planes[0], planes[1]))
    planes = ops.ifft2((real * response, imaginary * response))
    first, second = (ops.transpose(part, (0, 2, 3, 1)) for part in planes)
    return first, second
