"""A picture, and what a file makes of it, by which others can tell that they run it right."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.pixels import to_samples

# A larger picture would weigh more than the files that it checks.
LARGEST = 256

# Values of 255 that two processors may differ by.
TOLERANCE = 2

_SIGMA = 25 / 255


def make_picture(size: int, channels: int) -> np.ndarray:
    """Makes a noisy picture of shades, stripes and an edge.

    Args:
        size: Its height and width.
        channels: 1 or 3.

    Returns:
        uint8 (size, size, channels), the same each time.
    """
    rows, columns = np.mgrid[:size, :size] / size
    waves = 0.5 + 0.3 * np.sin(40 * columns**2) * np.cos(9 * rows)
    disk = np.hypot(rows - 0.5, columns - 0.5) < 0.3
    planes = [
        np.where(disk, each, waves) for each in (0.25 + 0.5 * rows, columns, 0.75 - waves / 2)
    ]
    clean = np.stack(planes[:channels], axis=-1)
    noisy = clean + np.random.default_rng(25).normal(0, _SIGMA, clean.shape)
    return to_samples(noisy, np.uint8)


def denoise_picture(path: Path, picture: np.ndarray) -> np.ndarray:
    """Runs a LiteRT file of one image on a picture; uint8 in and out, of one shape."""
    given = picture[np.newaxis] / np.float32(255)
    (denoised,) = LiteRTEngine(path, threads=1)({"noisy": given}).values()
    return to_samples(denoised[0], np.uint8)
