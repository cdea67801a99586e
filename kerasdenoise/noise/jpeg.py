"""What JPEG compression does to an image, as tensor operations."""

from __future__ import annotations

import keras
import numpy as np

from kerasdenoise.noise.base import Tensor

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
    ycc = ops.round(ops.matmul(ops.round(images * 255.0), _TO_YCC.T))
    ycc = ycc - ops.convert_to_tensor([128.0, 0.0, 0.0], "float32")
    luma, chroma = ycc[..., :1], ycc[..., 1:]
    scale = ops.where(quality < 50, 50.0 / quality, 2.0 - quality / 50.0)
    full = _quantize(chroma, _CHROMA_TABLE, scale)
    half = _quantize(ops.average_pool(chroma, 2, strides=2), _CHROMA_TABLE, scale)
    half = ops.repeat(ops.repeat(half, 2, axis=1), 2, axis=2)
    chroma = ops.where(subsample > 0.5, half, full)
    ycc = ops.concatenate([_quantize(luma, _LUMA_TABLE, scale) + 128.0, chroma], axis=-1)
    rgb = ops.matmul(ops.round(ycc), np.linalg.inv(_TO_YCC).T.astype(np.float32))
    return ops.clip(ops.round(rgb), 0.0, 255.0) / 255.0


def _quantize(planes: Tensor, table: np.ndarray, scale: Tensor) -> Tensor:
    """Rounds the 8x8 cosine coefficients of planes (batch, height, width, channels)."""
    ops = keras.ops
    batch, height, width, channels = ops.shape(planes)
    tall, wide = (side if side <= _LONGEST else 8 for side in (height, width))
    rows, columns = _block_cosines(tall), _block_cosines(wide)
    # Encoders round half up.
    steps = ops.floor(ops.convert_to_tensor(table) * ops.reshape(scale, (-1, 1, 1, 1, 1, 1)) + 0.5)
    steps = ops.tile(ops.clip(steps, 1.0, 255.0), (1, 1, 1, 1, tall // 8, wide // 8))

    pieces = ops.reshape(planes, (batch, height // tall, tall, width // wide, wide, channels))
    pieces = ops.transpose(pieces, (0, 1, 3, 5, 2, 4))
    coefficients = ops.matmul(ops.matmul(rows, pieces), columns.T)
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
