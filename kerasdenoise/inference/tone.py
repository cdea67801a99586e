"""Keeps the tone of a photo: limits changes at scales where noise averages out.

A network may tint: it may shift the mean of many pixels further than noise could have shifted it.
Noise of deviation s shifts the mean under a Gaussian window of w pixels by s / (2 sqrt(pi) w). Any
further shift is not noise, and is undone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

# Deviation in pixels of the Gaussian window for means.
WINDOW = 12.0

# Means are computed on a grid of cells with this height and width in pixels.
CELL = 8

# Cells on each side of the window, which is cut off at 32 pixels.
_TAPS = 3

# How far a pixel affects the correction of others, in pixels: a multiple of the cell.
REACH = CELL * (_TAPS + 2)

# Most change of the mean, in deviations of the mean of white noise: three quarters, so that changes
# of wider areas stay below three of their deviations, which are up to four times smaller.
_SHARE = 0.75
_MEAN_OF_NOISE = 1.0 / (2.0 * math.sqrt(math.pi) * WINDOW)

# Most change of the mean for any noise: what is removed from a dither or a screen is large, but not
# noise.
_MOST = 0.75 / 255.0

# An image no larger than the reach is seen whole by every tile. There the window's ends weigh much,
# and one correction is not enough.
_ROUNDS = 6

# The cells' own extent and the interpolation between them widen the window; the taps do the rest.
_SPREAD = math.sqrt(WINDOW**2 - (CELL**2 - 1) / 12 - CELL**2 / 6) / CELL
_WEIGHTS = np.exp(-0.5 * (np.arange(-_TAPS, _TAPS + 1) / _SPREAD) ** 2).astype(np.float32)


def tile_stride(stride: int, *, keeps_tone: bool) -> int:
    """Returns the stride of a model's tiles: their starts and sizes are multiples of it.

    Args:
        stride: The network's stride.
        keeps_tone: Whether the tone is kept, in cells that must not move with the tiles.
    """
    return math.lcm(stride, CELL) if keeps_tone else stride


def fixed_halo(radius: int, stride: int, *, keeps_tone: bool) -> int:
    """Returns the halo of tiles of fixed size, as on the page and on phones.

    A halo of the radius plus `REACH` would leave too little of them. With this halo, kept pixels do
    not see the tile's edge, but the means around them do, so results there are slightly inexact.
    With `photo`, they differ by 0.03 of 255 at 64 pixels from the edge. With `photo_tiny` and tiles
    of 256, they differ by 0.02 of 255 for Gaussian noise of 50, and by 0.2 on a 1-bit dither.

    Args:
        radius: How far the network sees, in pixels.
        stride: What `tile_stride` returns.
        keeps_tone: Whether the tone is kept.
    """
    return -(-max(radius, REACH if keeps_tone else 0) // stride) * stride


def keep_tone(
    noisy: np.ndarray,
    denoised: np.ndarray,
    inside: tuple[slice, slice] = (slice(None), slice(None)),
    *,
    bounded: bool = False,
) -> np.ndarray:
    """Undoes a network's changes of a tile's tone.

    With L the Gaussian mean of 12 pixels in each channel, and s the deviation of the removed noise
    there, `L(denoised - noisy)` is limited to 0.75 s / (2 sqrt(pi) 12), and to 0.75 / 255. Results
    further than `REACH` from the tile's edge, or next to the image's edge, do not depend on the
    tile, if its corner is at a multiple of `CELL`.

    Args:
        noisy: Float32 (H, W, C), sides multiples of `CELL`.
        denoised: The network's result, of the same shape.
        inside: Rows and columns inside the image; outside, it is reflected, which must not count
            twice.
        bounded: Whether pixels will become integers, so that values outside [0, 1] are lost: they
            are clipped first, and the correction stays inside.

    Returns:
        Float32 of the same shape.
    """
    seen = [axis.indices(size) for axis, size in zip(inside, noisy.shape, strict=False)]
    whole = max(stop - start for start, stop, _ in seen) <= REACH
    for _ in range(_ROUNDS if whole else 1):
        denoised = _take_back(noisy, denoised, inside, bounded)
    return denoised


def _take_back(
    noisy: np.ndarray, denoised: np.ndarray, inside: tuple[slice, slice], bounded: bool
) -> np.ndarray:
    denoised = np.clip(denoised, 0.0, 1.0) if bounded else denoised.copy()
    change = np.zeros_like(noisy)
    np.subtract(denoised[inside], noisy[inside], out=change[inside])
    pixels = _count(noisy.shape[0], inside[0])[:, None] * _count(noisy.shape[1], inside[1])
    # A cell too far outside for its window to contain any of the image needs no value.
    pixels = np.maximum(_smooth(pixels[..., None]), np.float32(1e-6))
    mean = _smooth(_sum_cells(change)) / pixels
    power = _sum_cells(np.square(change, out=change)).mean(axis=2, keepdims=True)
    bound = np.float32(_SHARE * _MEAN_OF_NOISE) * np.sqrt(_smooth(power) / pixels)
    bound = np.minimum(bound, np.float32(_MOST))
    excess = mean - np.clip(mean, -bound, bound)
    if not bounded:
        _enlarge(denoised, [excess], lambda rows, excess: rows - excess)
        return denoised
    change[inside] = denoised[inside]
    tone = _smooth(_sum_cells(change)) / pixels
    # Each pixel moves towards black or white by the same share of the distance.
    down, up = np.maximum(excess, 0.0), np.maximum(-excess, 0.0)
    down = down / np.maximum(tone, np.maximum(down, np.float32(1e-6)))
    up = up / np.maximum(1.0 - tone, np.maximum(up, np.float32(1e-6)))
    _enlarge(denoised, [down, up], lambda rows, down, up: rows * (1.0 - down - up) + up)
    return denoised


def _count(size: int, inside: slice) -> np.ndarray:
    """The number of pixels in each cell of an axis that are inside the image."""
    seen = np.zeros(size, np.float32)
    seen[inside] = 1.0
    return seen.reshape(-1, CELL).sum(axis=1)


def _sum_cells(values: np.ndarray) -> np.ndarray:
    height, width, channels = values.shape
    rows = values.reshape(height // CELL, CELL, width * channels).sum(axis=1)
    return rows.reshape(height // CELL, width // CELL, CELL, channels).sum(axis=2)


def _smooth(cells: np.ndarray) -> np.ndarray:
    """Sums neighbors with the window's weights, and zeros beyond the edges."""
    for axis in (0, 1):
        pad = [(0, 0)] * 3
        pad[axis] = (_TAPS, _TAPS)
        padded, size = np.pad(cells, pad), cells.shape[axis]
        cells = np.zeros_like(cells)
        # Tap by tap: the order of the sum, and so its last digit, is always the same.
        for tap, weight in enumerate(_WEIGHTS):
            cells += weight * padded[(slice(None),) * axis + (slice(tap, tap + size),)]
    return cells


def _enlarge(
    pixels: np.ndarray, cells: Sequence[np.ndarray], change: Callable[..., np.ndarray]
) -> None:
    """Changes pixels by cell values, interpolated linearly between the cells' centers.

    Beyond the outermost centers, their values are used.

    Args:
        pixels: (H, W, C), changed in place.
        cells: The values, (H / CELL, W / CELL, C) each.
        change: Maps rows of pixels and the values there to new rows.
    """
    height, width, channels = pixels.shape
    rows = pixels.reshape(height // CELL, CELL, width, channels)
    columns = [
        np.stack(list(_interpolate(each.swapaxes(0, 1))), axis=1)
        .reshape(width, height // CELL, channels)
        .swapaxes(0, 1)
        for each in cells
    ]
    for place, values in enumerate(zip(*map(_interpolate, columns), strict=True)):
        rows[:, place] = change(rows[:, place], *values)


def _interpolate(cells: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the values of all cells for each position inside a cell along the first axis."""
    padded = np.concatenate([cells[:1], cells, cells[-1:]])
    for place in range(CELL):
        away = (place + 0.5) / CELL - 0.5  # from the center, in cells
        neighbor = padded[:-2] if away < 0 else padded[2:]
        yield cells + np.float32(abs(away)) * (neighbor - cells)
