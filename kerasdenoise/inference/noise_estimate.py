"""Edginess and noise level of an image, measured without a clean one."""

from __future__ import annotations

import numpy as np

from kerasdenoise.pixels import to_pixels

BLOCK = 16
"""Size of the blocks in which noise is measured, and the smallest size of an image."""

# Degrees of freedom in a block: its diagonal Haar coefficients, and the rest without a plane.
_FINE = BLOCK**2 // 4
_COARSE = BLOCK**2 - _FINE - 3
# The share of blocks that count as flat, and the largest share of clipped values in a block.
_FLAT = 0.05
_CLIPPED = 0.02
# Noise is white up to the first ratio of coarse to fine detail, and correlated from the second.
_WHITE, _CORRELATED = 1.3, 2.0
# Correlated noise is the lower quartile of blocks, as a median over this many groups.
_QUANTILE = 0.25
_GROUPS = 4
# It is at most this many times the detail of the flattest blocks; the rest is texture.
_LARGEST = 2

LAGS = 8
"""How far apart pixels are of which `estimate_correlation` compares the noise."""


def edginess(pixels: np.ndarray, *, per_pixel: bool = True) -> float:
    """Sums how much neighboring pixels differ: the anisotropic total variation.

    E(u) = sum over pixels of |D_x u| + |D_y u|, averaged over channels, where D_x and D_y are
    forward differences: the right and the lower neighbor minus the pixel, 0 at the last column
    and row. The measure comes from the slides on learned anisotropic diffusion. Noise raises it
    and blur lowers it.

    Args:
        pixels: Float (height, width, channels), nominally in [0, 1].
        per_pixel: Whether the sum is divided by the number of pixels.

    Returns:
        A number from 0, on the scale of the pixels: up to 2 per pixel in [0, 1].
    """
    height, width, channels = pixels.shape
    total = sum(float(np.abs(np.diff(pixels, axis=axis)).sum(dtype=np.float64)) for axis in (0, 1))
    return total / channels / (height * width if per_pixel else 1)


def estimate_sigma(pixels: np.ndarray) -> float:
    """Estimates the noise level: the standard deviation of noise, mean square over channels.

    The usual estimate is the median of the finest diagonal detail (Donoho and Johnstone,
    "Ideal spatial adaptation by wavelet shrinkage", Biometrika 1994). It holds only for white
    noise: after demosaicing and JPEG, camera noise has little such detail, and the estimate is
    several times too small. This one uses blocks of 16x16 pixels with hardly any clipped values:

    1. A block minus its best plane is split into fine detail (diagonal Haar coefficients) and
       coarse detail (the rest). For white noise the two are independent.
    2. The flattest blocks are the 5 % with the least coarse detail. In them, the ratio of
       coarse to fine detail tells the kind of noise: 1 for white noise, more for camera noise.
    3. White noise (ratio up to 1.3) is the fine detail of the flattest blocks. Correlated
       noise (from 2), which depends on brightness, is all detail of the lower quartile of
       blocks: the median over four groups of brightness, at most twice that of the flattest
       blocks. In between the two are blended.

    White noise from 5/255 on is estimated closely on most photos. Texture that leaves no block
    flat is mistaken for correlated noise, and so is the fine texture of an image without noise.
    Correlated noise is estimated roughly: too small if it is coarser than a block, or if the
    flattest blocks are dark.

    Args:
        pixels: (height, width, channels) of any type, see `pixels.to_pixels`; values of
            exactly 0 or 1 count as clipped.

    Returns:
        The noise level on the [0, 1] scale.

    Raises:
        ValueError: The height or width is below 16 pixels.
    """
    fine, coarse, brightness, clipped = _measure_image(pixels)
    kept = clipped <= _most_clipped(clipped)
    fine, coarse, brightness = fine[kept], coarse[kept], brightness[kept]

    flattest = np.argsort(coarse)[: max(4, round(_FLAT * coarse.size))]
    white = fine[flattest].mean()
    ratio = np.sqrt(coarse[flattest].mean() / max(white, np.finfo(np.float32).tiny))
    detail = (_FINE * fine + _COARSE * coarse) / (_FINE + _COARSE)
    groups = np.array_split(detail[np.argsort(brightness)], min(_GROUPS, detail.size))
    typical = np.median([np.quantile(group, _QUANTILE) for group in groups])
    correlated = min(typical, _LARGEST**2 * detail[flattest].mean())
    share = np.clip((ratio - _WHITE) / (_CORRELATED - _WHITE), 0, 1)
    return float(np.sqrt((1 - share) * white + share * correlated))


def estimate_correlation(pixels: np.ndarray) -> np.ndarray:
    """Estimates how the noise of pixels is correlated that lie some pixels apart.

    The blocks are those of `estimate_sigma`: of the flattest ones, less their best plane, products
    of pixels are averaged over channels. White noise has correlations within 0.1 of zero; noise of
    columns is correlated down to the last lag, and not across. Texture that leaves no block flat
    is mistaken for correlated noise.

    Args:
        pixels: As for `estimate_sigma`.

    Returns:
        Down and across, (2, `LAGS`), for 1 to `LAGS` pixels, each nominally in [-1, 1]. Zeros for
        an image without noise.

    Raises:
        ValueError: The height or width is below 16 pixels.
    """
    measured = _measure_image(pixels)
    _, coarse, _, clipped = measured
    usable = np.flatnonzero(clipped <= _most_clipped(clipped))
    flattest = usable[np.argsort(coarse[usable])][: max(4, round(_FLAT * usable.size))]
    across = pixels.shape[1] // BLOCK
    products, variance = np.zeros((2, LAGS)), 0.0
    for index in flattest.tolist():
        row, column = (BLOCK * place for place in divmod(index, across))
        block = to_pixels(pixels[row : row + BLOCK, column : column + BLOCK])
        noise = _without_plane(block.astype(np.float64))
        variance += np.square(noise).mean()
        for lag in range(1, LAGS + 1):
            products[0, lag - 1] += (noise[lag:] * noise[:-lag]).mean()
            products[1, lag - 1] += (noise[:, lag:] * noise[:, :-lag]).mean()
    return products / variance if variance else products


def _measure_image(pixels: np.ndarray) -> np.ndarray:
    """Measures all blocks of an image, row by row; see `_measure_blocks`."""
    height, width = pixels.shape[:2]
    if min(height, width) < BLOCK:
        raise ValueError(f"noise needs sides of at least {BLOCK} pixels, not {height, width}")
    tops = range(0, height - BLOCK + 1, BLOCK)
    strips = [_measure_blocks(to_pixels(pixels[top : top + BLOCK])) for top in tops]
    return np.concatenate(strips, axis=1)


def _most_clipped(clipped: np.ndarray) -> float:
    """The largest share of clipped values in a block that counts: more where nearly all have it."""
    few = min(2 * _GROUPS, clipped.size)
    return max(_CLIPPED, np.sort(clipped)[few - 1])


def _without_plane(block: np.ndarray) -> np.ndarray:
    """Subtracts the best plane from a block (16, 16, channels)."""
    left = block - block.mean(axis=(0, 1), keepdims=True)
    for slope in (_ramp()[:, None, None], _ramp()[None, :, None]):
        left = left - (slope * left).sum(axis=(0, 1), keepdims=True) * slope
    return left


def _ramp() -> np.ndarray:
    """A slope along an axis of a block, of which the squares sum to 1."""
    ramp = np.arange(BLOCK) - (BLOCK - 1) / 2
    return ramp / np.sqrt(BLOCK * np.square(ramp).sum())


def _measure_blocks(strip: np.ndarray) -> np.ndarray:
    """Measures the blocks of a strip of 16 rows.

    Returns:
        An array of (4, number of blocks): variance of fine and of coarse detail, brightness,
        share of clipped values.
    """
    count = strip.shape[1] // BLOCK
    blocks = strip[:, : count * BLOCK].reshape(BLOCK, count, BLOCK, -1).astype(np.float64)
    clipped = ((blocks == 0) | (blocks == 1)).mean(axis=(0, 2, 3))
    mean = blocks.mean(axis=(0, 2), keepdims=True)
    left = blocks - mean
    ramp = _ramp()
    down = np.square((ramp[:, None, None, None] * left).sum(axis=(0, 2)))
    across = np.square((ramp[:, None] * left).sum(axis=(0, 2)))
    energy = np.square(left).sum(axis=(0, 2)) - down - across
    pairs = left[::2] - left[1::2]
    diagonal = np.square((pairs[:, :, ::2] - pairs[:, :, 1::2]) / 2).sum(axis=(0, 2))
    fine = diagonal.mean(axis=-1) / _FINE
    coarse = np.maximum(energy - diagonal, 0).mean(axis=-1) / _COARSE
    return np.stack([fine, coarse, mean.mean(axis=(0, 2, 3)), clipped])
