"""Hides from the network what it must not see: missing pixels and values far beyond the scene's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Number of sampled pixels, on a grid over the whole image.
_SAMPLED = 2**18

# Values above this many times the scene's bright parts are lamps, suns and hot pixels.
_HEADROOM = 8.0


class Limits(NamedTuple):
    """The range of a floating-point image that a network may see.

    Attributes:
        lowest: The network sees no value below this one; noise may be negative, but not this far.
        highest: The network sees no value above this one. The excess is added to its result.
        missing: Pixels with a value below this one have no data.
    """

    lowest: float
    highest: float
    missing: float


def find_limits(pixels: np.ndarray) -> Limits | None:
    """Finds the range of the scene in an image.

    To a network, a lamp of 20,000 in a scene of 0.4 looks like the whole scene, and the rest like
    noise.

    Args:
        pixels: (H, W, C) of any type of `image_types.DTYPES`, finite.

    Returns:
        The limits, or None for integers, which need none.
    """
    if pixels.dtype.kind == "u":
        return None
    step = max(1, int((pixels.shape[0] * pixels.shape[1] / _SAMPLED) ** 0.5))
    lit = pixels[::step, ::step]
    lit = lit[lit > 0]
    bright = float(np.percentile(lit, 75)) if lit.size else 0.0
    highest = max(1.0, _HEADROOM * bright)
    return Limits(-highest / 4, highest, -max(1.0, bright / 4))


def find_missing(pixels: np.ndarray, limits: Limits | None) -> np.ndarray | None:
    """Marks the pixels without data: bool (H, W), or None if there are none."""
    if limits is None or float(pixels.min()) >= limits.missing:
        return None
    return np.any(pixels < limits.missing, axis=2)


def fill(pixels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Fills missing pixels with the mean of their surroundings.

    Of blocks of 2, 4, 8 pixels and so on, the smallest that contains any data is used, as in
    pull-push interpolation (Gortler et al., "The lumigraph", SIGGRAPH 1996, which also interpolates
    between blocks).

    Args:
        pixels: (H, W, C) of any type of `image_types.DTYPES`.
        missing: Bool (H, W), not all True.

    Returns:
        A copy of the same type, with all other pixels unchanged.
    """
    weight = (~missing).astype(np.float32)[..., np.newaxis]
    total = np.where(missing[..., np.newaxis], 0, pixels).astype(np.float32)
    filled, unknown, block = pixels.copy(), missing.copy(), 1
    while unknown.any():
        total, weight, block = _halve(total), _halve(weight), 2 * block
        rows, columns = np.nonzero(unknown)
        found = weight[rows // block, columns // block, 0] > 0
        rows, columns = rows[found], columns[found]
        cells = rows // block, columns // block
        means = total[cells] / weight[cells]
        if pixels.dtype.kind == "u":
            means = np.rint(means)
        filled[rows, columns] = means.astype(pixels.dtype)
        unknown[rows, columns] = False
    return filled


def _halve(values: np.ndarray) -> np.ndarray:
    height, width, channels = values.shape
    padded = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
    return padded.reshape(-(-height // 2), 2, -(-width // 2), 2, channels).sum(axis=(1, 3))
