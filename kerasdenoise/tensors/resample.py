"""Linear maps along the axes of images, as products with small matrices."""

from __future__ import annotations

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
