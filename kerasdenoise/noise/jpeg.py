"""What JPEG compression does to an image, as tensor operations."""

from __future__ import annotations

import keras
import numpy as np

from kerasdenoise.noise.base import Tensor
from kerasdenoise.noise.resample import along_axes

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

# JFIF's full-range YCbCr.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)


def jpeg(images: Tensor, quality: Tensor, subsample: Tensor) -> Tensor:
    """Compresses and decompresses, with the rounding that loses information.

    Entropy coding loses nothing and is left out; chroma is reduced by averaging and enlarged
    by repetition, where decoders may interpolate.

    Args:
        images: Float32 RGB (batch, height, width, 3) in [0, 1]; sides multiples of 16.
        quality: (batch, 1, 1, 1) in [1, 100], the usual scale of encoders.
        subsample: (batch, 1, 1, 1), 1.0 for half-resolution chroma (4:2:0), 0.0 for 4:4:4.

    Returns:
        Float32 images of the same shape in [0, 1].
    """
    ops = keras.ops
    ycc = ops.matmul(ops.round(images * 255.0), _TO_YCC.T)
    ycc = ycc - np.array([128.0, 0.0, 0.0], np.float32)
    luma, chroma = ycc[..., :1], ycc[..., 1:]
    scale = ops.where(quality < 50, 50.0 / quality, 2.0 - quality / 50.0)
    full = _quantize(chroma, _CHROMA_TABLE, scale)
    half = _quantize(ops.average_pool(chroma, 2, strides=2), _CHROMA_TABLE, scale)
    half = ops.repeat(ops.repeat(half, 2, axis=1), 2, axis=2)
    chroma = ops.where(subsample > 0.5, half, full)
    ycc = ops.concatenate([_quantize(luma, _LUMA_TABLE, scale) + 128.0, chroma], axis=-1)
    rgb = ops.matmul(ycc, np.linalg.inv(_TO_YCC).T.astype(np.float32))
    return ops.clip(ops.round(rgb), 0.0, 255.0) / 255.0


def _quantize(planes: Tensor, table: np.ndarray, scale: Tensor) -> Tensor:
    """Rounds the 8x8 cosine coefficients of planes (batch, height, width, channels)."""
    ops = keras.ops
    _, height, width, _ = ops.shape(planes)
    steps = np.tile(table, (height // 8, width // 8))[None, :, :, None]
    steps = ops.clip(ops.round(steps * scale), 1.0, 255.0)
    rows, columns = _block_cosines(height), _block_cosines(width)
    coefficients = along_axes(planes, rows, columns)
    coefficients = ops.round(coefficients / steps) * steps
    return along_axes(coefficients, rows.T, columns.T)


def _block_cosines(size: int) -> np.ndarray:
    """The 8-point cosine transforms of a whole axis as one block-diagonal matrix.

    One product with a matrix of moderate size runs faster than many with tiny ones.
    """
    frequency, place = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    cosines = np.cos((2 * place + 1) * frequency * np.pi / 16) / 2
    cosines[0] /= np.sqrt(2)
    return np.kron(np.eye(size // 8), cosines).astype(np.float32)
