"""Samples of any type <-> float32 pixels, a part of a picture at a time; the one place that rounds.

Between the two lies all the computing. A whole picture may stay what its file has, of which no
more than a band or a tile is float32 at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

# Pictures are converted in bands of about this many pixels, so that no second copy is made.
BAND_PIXELS = 2**18


def to_pixels(samples: np.ndarray) -> np.ndarray:
    """Returns samples as float32 on the [0, 1] scale; float32 ones as they are.

    Args:
        samples: Of any shape; integers use their whole range, which with a sign is [-1, 1], floats
            [0, 1] nominally. A number beyond float32 becomes infinite.
    """
    if samples.dtype.kind not in "iu":
        with np.errstate(over="ignore"):
            return samples.astype(np.float32, copy=False)
    exact = _exact_type(samples.dtype)
    pixels = samples.astype(exact) / exact(np.iinfo(samples.dtype).max)
    return pixels.astype(np.float32, copy=False)


def to_samples(pixels: np.ndarray, dtype: DTypeLike) -> np.ndarray:
    """Returns pixels as a type; integers are rounded and clipped to their range.

    Args:
        pixels: Floats of any shape, on the [0, 1] scale.
        dtype: See `to_pixels`, which undoes this.
    """
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        pixels = np.rint(pixels * _exact_type(dtype)(limits.max)).clip(limits.min, limits.max)
    with np.errstate(over="ignore"):  # beyond float16, where it is infinite
        return pixels.astype(dtype, copy=False)


def _exact_type(dtype: np.dtype) -> type[np.float32 | np.float64]:
    """Returns the type of floats that tells all integers of a type apart."""
    return np.float32 if dtype.itemsize <= 2 else np.float64
