"""Linear maps along the axes of images: resampling, and filters of their spectrum."""

from __future__ import annotations

import math

import keras

from kerasdenoise.tensors import Tensor


def along_axes(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Multiplies each image's rows and columns by matrices.

    Args:
        images: (batch, height, width, channels).
        rows: ([batch,] new height, height).
        columns: ([batch,] new width, width).

    Returns:
        (batch, new height, new width, channels).
    """
    ops = keras.ops
    rows, columns = ops.expand_dims(rows, -3), ops.expand_dims(ops.swapaxes(columns, -1, -2), -3)
    planes = ops.transpose(images, (0, 3, 1, 2))
    planes = ops.matmul(ops.matmul(rows, planes), columns)
    return ops.transpose(planes, (0, 2, 3, 1))


def reduction(images: Tensor, scale: Tensor, height: int, width: int) -> Tensor:
    """Downscales with the anti-aliased cubic kernel of photo programs.

    Args:
        images: (batch, tall, wide, channels), `tall >= height / scale`, `wide >= width / scale`.
        scale: (batch, 1, 1, 1), the factor in (0, 1].
        height: Rows of the result, which is the images' top left part.
        width: Columns of the result.

    Returns:
        (batch, height, width, channels).
    """
    _, tall, wide, _ = keras.ops.shape(images)
    return along_axes(images, _cubic(scale, height, tall), _cubic(scale, width, wide))


def enlargement(images: Tensor, scale: Tensor, tall: int, wide: int) -> Tensor:
    """Enlarges by `1 / scale` with linear interpolation, repeating the last row and column.

    Args:
        images: (batch, height, width, channels).
        scale: (batch, 1, 1, 1), the factor in (0, 1] of the reduction that undoes this.
        tall: Rows of the result.
        wide: Columns of the result.

    Returns:
        (batch, tall, wide, channels).
    """
    _, height, width, _ = keras.ops.shape(images)
    return along_axes(images, _linear(scale, tall, height), _linear(scale, wide, width))


def _cubic(scale: Tensor, new: int, old: int) -> Tensor:
    """Keys' cubic (a = -1/2), stretched by the reduction; rows sum to one."""
    ops = keras.ops
    scale = ops.reshape(scale, (-1, 1, 1))
    center = (ops.arange(new, dtype="float32")[None, :, None] + 0.5) / scale - 0.5
    x = ops.abs(ops.arange(old, dtype="float32")[None, None, :] - center) * scale
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    weights = ops.where(x < 1.0, near, ops.where(x < 2.0, far, 0.0))
    return weights / ops.sum(weights, axis=-1, keepdims=True)


def _linear(scale: Tensor, new: int, old: int) -> Tensor:
    ops = keras.ops
    scale = ops.reshape(scale, (-1, 1, 1))
    center = (ops.arange(new, dtype="float32")[None, :, None] + 0.5) * scale - 0.5
    center = ops.clip(center, 0.0, float(old - 1))
    distance = ops.abs(ops.arange(old, dtype="float32")[None, None, :] - center)
    return ops.maximum(1.0 - distance, 0.0)


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
    batch, height, width, channels = ops.shape(first)
    # Folded into one axis, because XLA's FFT on several processors fails on a transposed layout.
    planes = [
        ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (-1, height, width))
        for images in (first, second)
    ]
    response = ops.reshape(
        ops.broadcast_to(response, (batch, channels, height, width)), (-1, height, width)
    )
    real, imaginary = ops.fft2((planes[0], planes[1]))
    planes = ops.ifft2((real * response, imaginary * response))
    first, second = (
        ops.transpose(ops.reshape(part, (-1, channels, height, width)), (0, 2, 3, 1))
        for part in planes
    )
    return first, second
