"""Keeps the tone of a photo: what denoising may change at scales where noise averages out.

A network may tint: it may move the mean of many pixels by more than any noise could have moved it.
Noise of deviation s changes the mean under a Gaussian window of w pixels by s / (2 sqrt(pi) w), so
what a network changes beyond that is no noise, and is taken back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

# Deviation in pixels of the Gaussian window whose means are kept.
WINDOW = 12.0

# Means are taken on a grid of cells of so many pixels a side.
CELL = 8

# Cells on each side that the window reaches: it is cut off at 32 pixels.
_TAPS = 3

# How far a pixel reaches another's correction, in pixels: a multiple of the cell.
REACH = CELL * (_TAPS + 2)

# What the mean may change by, in deviations of the mean of white noise. Three quarters of one, so
# that a change of wider parts stays below three of theirs, which are up to four times as small.
_SHARE = 0.75
_MEAN_OF_NOISE = 1.0 / (2.0 * math.sqrt(math.pi) * WINDOW)

# The most that the mean may change by however strong the noise: what was removed from a dither or a
# screen is large, and no noise.
_MOST = 0.75 / 255.0

# A picture that is not larger than this reach is seen whole by every tile. In it the window's ends
# weigh much, and what is taken back once is not enough.
_ROUNDS = 6

# The cells' own extent and the interpolation between them widen the window; the taps do the rest.
_SPREAD = math.sqrt(WINDOW**2 - (CELL**2 - 1) / 12 - CELL**2 / 6) / CELL
_WEIGHTS = np.exp(-0.5 * (np.arange(-_TAPS, _TAPS + 1) / _SPREAD) ** 2).astype(np.float32)


def tile_stride(stride: int, *, keeps_tone: bool) -> int:
    """Returns what the starts and edges of a model's tiles must be multiples of.

    Args:
        stride: What its network wants edges to be a multiple of.
        keeps_tone: Whether the tone of its results is kept, in cells that must not move with tiles.
    """
    return math.lcm(stride, CELL) if keeps_tone else stride


def fixed_halo(radius: int, stride: int, *, keeps_tone: bool) -> int:
    """Returns the halo of tiles whose size is fixed, as of the page and of phones.

    A halo of the radius and `REACH` would leave too little of them. So what is kept sees no tile's
    edge, but the means around it do: results there are inexact, little where it matters. Of
    `photo`, they differ by 0.03 of 255 at 64 pixels from the edge. What `photo_tiny` gives with
    tiles of 256 differs by 0.02 of 255 at Gaussian noise of 50, and by 0.2 on a 1-bit dither.

    Args:
        radius: How far the network sees, in pixels.
        stride: What `tile_stride` returns.
        keeps_tone: Whether the tone of its results is kept.
    """
    return -(-max(radius, REACH if keeps_tone else 0) // stride) * stride


def keep_tone(
    noisy: np.ndarray,
    denoised: np.ndarray,
    inside: tuple[slice, slice] = (slice(None), slice(None)),
    *,
    bounded: bool = False,
) -> np.ndarray:
    """Takes back what a network changed of a tile's tone.

    With L the Gaussian mean of 12 pixels, of each channel, and s the deviation of what was
    removed there, `L(denoised - noisy)` is brought to within 0.75 s / (2 sqrt(pi) 12), and to
    within 0.75 / 255. What is further than `REACH` from the tile's edge, or beyond which there is
    no image, does not depend on the tile, if its corner lies on a multiple of `CELL`.

    Args:
        noisy: Float32 (H, W, C), sides multiples of `CELL`.
        denoised: What the network made of it, of the same shape.
        inside: Rows and columns that show the image; around it, it is continued by reflection,
            which must not count twice.
        bounded: Whether pixels are to be integers, so that what lies beyond [0, 1] is lost: it is
            cut off first, and what is taken back leads nowhere beyond.

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
    # A cell so far outside that the window shows it nothing of the image needs no value.
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
    # Each pixel goes towards black or white by the same share of the way.
    down, up = np.maximum(excess, 0.0), np.maximum(-excess, 0.0)
    down = down / np.maximum(tone, np.maximum(down, np.float32(1e-6)))
    up = up / np.maximum(1.0 - tone, np.maximum(up, np.float32(1e-6)))
    _enlarge(denoised, [down, up], lambda rows, down, up: rows * (1.0 - down - up) + up)
    return denoised


def _count(size: int, inside: slice) -> np.ndarray:
    """The pixels of each cell of an axis that show the image."""
    seen = np.zeros(size, np.float32)
    seen[inside] = 1.0
    return seen.reshape(-1, CELL).sum(axis=1)


def _sum_cells(values: np.ndarray) -> np.ndarray:
    height, width, channels = values.shape
    rows = values.reshape(height // CELL, CELL, width * channels).sum(axis=1)
    return rows.reshape(height // CELL, width // CELL, CELL, channels).sum(axis=2)


def _smooth(cells: np.ndarray) -> np.ndarray:
    """Sums neighbors by the window's weights; there is nothing beyond the edges."""
    for axis in (0, 1):
        pad = [(0, 0)] * 3
        pad[axis] = (_TAPS, _TAPS)
        padded, size = np.pad(cells, pad), cells.shape[axis]
        cells = np.zeros_like(cells)
        # One tap after the other: the order of the sum, and so its last digit, is always the same.
        for tap, weight in enumerate(_WEIGHTS):
            cells += weight * padded[(slice(None),) * axis + (slice(tap, tap + size),)]
    return cells


def _enlarge(
    pixels: np.ndarray, cells: Sequence[np.ndarray], change: Callable[..., np.ndarray]
) -> None:
    """Changes pixels by the values of cells, interpolated linearly between the cells' centers.

    Beyond the outermost centers values stay as they are there.

    Args:
        pixels: (H, W, C), which is changed.
        cells: Of each value (H / CELL, W / CELL, C).
        change: From rows of pixels, and each value there, to the new rows.
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
    """Yields, for each place within a cell along the first axis, the values of all cells."""
    padded = np.concatenate([cells[:1], cells, cells[-1:]])
    for place in range(CELL):
        away = (place + 0.5) / CELL - 0.5  # from the center, in cells
        neighbor = padded[:-2] if away < 0 else padded[2:]
        yield cells + np.float32(abs(away)) * (neighbor - cells)
