"""JPEG compression as tensor operations."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from kerasdenoise.tensors import Tensor

# Annex K of the JPEG standard (ITU-T T.81): the tables that encoders scale by quality.
_LUMA_TABLE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
_CHROMA_TABLE = np.full((8, 8), 99, np.float32)
_CHROMA_TABLE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

# One product with a matrix of moderate size runs faster than many with tiny ones; sides longer
# than this are cut into single blocks.
_LONGEST = 128

# JFIF's full-range YCbCr.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_FROM_YCC = np.linalg.inv(_TO_YCC)


def jpeg(
    images: Tensor,
    qualities: Sequence[Tensor],
    subsampling: Tensor,
    steepness: Tensor | float = 1.0,
) -> Tensor:
    """Compresses and decompresses, with the rounding that loses information.

    Entropy coding is lossless and left out. Chroma is reduced by averaging and enlarged with the
    triangle filter of common decoders. A file that is saved again keeps its grid of blocks and
    its subsampling, so only its coefficients are rounded again; the pixels in between are not.

    Args:
        images: Float32 RGB (batch, height, width, 3) in [0, 1], height and width multiples of 16.
        qualities: One (batch, 1, 1, 1) in [1, 100], the usual scale of encoders, for each save.
        subsampling: (batch, 1, 1, 1) of 0.0 for full chroma resolution (4:4:4), 1.0 for half
            across (4:2:2), 2.0 for half in both directions (4:2:0).
        steepness: (batch, 1, 1, 1), or one number for all: how fast the steps of the quantization
            table grow with the frequency. 1 is the table of the standard; 0 is a flat one with
            the step of the mean. Those of many cameras lie between.

    Returns:
        Float32 images of the same shape in [0, 1].
    """
    ops = keras.ops
    ycc = ops.round(ops.matmul(ops.round(images * 255.0), _TO_YCC.T))
    ycc = ycc - ops.convert_to_tensor([128.0, 0.0, 0.0], "float32")
    luma, chroma = ycc[..., :1], ycc[..., 1:]
    scales = [ops.where(q < 50, 50.0 / q, 2.0 - q / 50.0) for q in qualities]
    fine, coarse = (_table(steepness, table) for table in (_LUMA_TABLE, _CHROMA_TABLE))
    sizes = [_quantize(planes, coarse, scales) for planes in _reduce_chroma(chroma)]
    chroma = _enlarge_chroma(sizes, subsampling)
    ycc = ops.concatenate([_quantize(luma, fine, scales) + 128.0, chroma], axis=-1)
    rgb = ops.matmul(ops.round(ycc), _FROM_YCC.T)
    return ops.clip(ops.round(rgb), 0.0, 255.0) / 255.0


def subsample(images: Tensor, subsampling: Tensor) -> Tensor:
    """Reduces and enlarges chroma as `jpeg` does, without rounding anything.

    Args:
        images: RGB (batch, height, width, 3), height and width multiples of 2.
        subsampling: As for `jpeg`.

    Returns:
        Images of the same shape.
    """
    ycc = keras.ops.matmul(images, _TO_YCC.T)
    chroma = _enlarge_chroma(_reduce_chroma(ycc[..., 1:]), subsampling)
    ycc = keras.ops.concatenate([ycc[..., :1], chroma], axis=-1)
    return keras.ops.matmul(ycc, _FROM_YCC.T)


def _reduce_chroma(chroma: Tensor) -> list[Tensor]:
    """Returns chroma of full resolution, half across, and half in both directions."""
    pool = keras.ops.average_pool
    half = pool(chroma, (1, 2), strides=(1, 2), data_format="channels_last")
    quarter = pool(half, (2, 1), strides=(2, 1), data_format="channels_last")
    return [chroma, half, quarter]


def _enlarge_chroma(sizes: Sequence[Tensor], subsampling: Tensor) -> Tensor:
    """Chooses among the results of `_reduce_chroma`, at full resolution."""
    full, half, quarter = sizes
    reduced = _double(keras.ops.where(subsampling > 1.5, _double(quarter, 1), half), 2)
    return keras.ops.where(subsampling > 0.5, reduced, full)


def _table(steepness: Tensor | float, table: np.ndarray) -> Tensor:
    """The steps of a table, ([batch,] 1, 1, 1, 8, 8), before they are scaled by the quality."""
    steepness = keras.ops.reshape(steepness, (-1, 1, 1, 1, 1, 1))
    return table[0, 0] * keras.ops.exp(steepness * np.log(table / table[0, 0]))


def _double(planes: Tensor, axis: int) -> Tensor:
    """Doubles an axis: each new place is 3/4 of its own old one and 1/4 of the next nearest."""
    own = np.arange(2 * planes.shape[axis]) // 2
    next_nearest = np.clip(own + np.tile([-1, 1], planes.shape[axis]), 0, own[-1])
    near, far = (keras.ops.take(planes, places, axis=axis) for places in (own, next_nearest))
    return 0.75 * near + 0.25 * far


def _quantize(planes: Tensor, table: Tensor, scales: Sequence[Tensor]) -> Tensor:
    """Rounds the 8x8 cosine coefficients of planes (batch, height, width, channels)."""
    ops = keras.ops
    batch, height, width, channels = ops.shape(planes)
    tall, wide = (side if side <= _LONGEST else 8 for side in (height, width))
    rows, columns = _block_cosines(tall), _block_cosines(wide)

    pieces = ops.reshape(planes, (batch, height // tall, tall, width // wide, wide, channels))
    pieces = ops.transpose(pieces, (0, 1, 3, 5, 2, 4))
    coefficients = ops.matmul(ops.matmul(rows, pieces), columns.T)
    for scale in scales:
        # Encoders round half up.
        steps = ops.reshape(scale, (-1, 1, 1, 1, 1, 1)) * table
        steps = ops.floor(steps + 0.5)
        steps = ops.tile(ops.clip(steps, 1.0, 255.0), (1, 1, 1, 1, tall // 8, wide // 8))
        coefficients = ops.round(coefficients / steps) * steps
    pieces = ops.matmul(ops.matmul(rows.T, coefficients), columns)
    pieces = ops.transpose(pieces, (0, 1, 4, 2, 5, 3))
    return ops.reshape(pieces, (batch, height, width, channels))


def _block_cosines(size: int) -> np.ndarray:
    """The 8-point cosine transforms of several blocks as one block-diagonal matrix."""
    frequency, place = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    cosines = np.cos((2 * place + 1) * frequency * np.pi / 16) / 2
    cosines[0] /= np.sqrt(2)
    return np.kron(np.eye(size // 8), cosines).astype(np.float32)
