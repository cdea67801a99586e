"""Samples of any type <-> float32 pixels, a part of a picture at a time; the one place that rounds.

Between the two lies all the computing. A whole picture may stay what its file has, of which no
more than a band or a tile is float32 at a time.
"""

from __future__ import annotations

import numpy as np

# Pictures are converted in bands of about this many pixels, so that no second copy is made.
BAND_PIXELS = 2**18


def to_pixels(samples: np.ndarray) -> np.ndarray:
    """Returns samples as float32 on the [0, 1] scale; float32 ones as they are.

    Args:
        samples: Of any shape; unsigned integers use their whole range, floats [0, 1] nominally.
    """
    if samples.dtype.kind != "u":
        return samples.astype(np.float32, copy=False)
    return samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)


def to_samples(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Returns float32 pixels as a type; integers are rounded and clipped to their range."""
    if dtype.kind == "u":
        top = np.iinfo(dtype).max
        pixels = np.rint(np.clip(pixels, 0, 1) * np.float32(top))
    return pixels.astype(dtype, copy=False)
