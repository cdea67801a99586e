"""A file's samples to the float32 pixels of an `Image`, band by band."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Pictures are converted in bands of about this many pixels, so that no second copy is made.
BAND_PIXELS = 2**18


def to_pixels(
    rows: Callable[[int, int], np.ndarray],
    height: int,
    width: int,
    *,
    channels: int,
    dtype: np.dtype,
    has_alpha: bool,
    transparent: tuple[int, ...] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns a picture's pixels, on the scale of [0, 1], and its alpha channel as it is.

    Args:
        rows: Gives the samples of the rows from one to before another, of shape
            (rows, width, channels and alpha); (rows, width) will do for one sample.
        height: Rows of the picture.
        width: Pixels in a row.
        channels: 1 for gray, 3 for RGB.
        dtype: Of the samples. Floating-point numbers are taken as they are.
        has_alpha: Whether a sample of alpha follows those of color.
        transparent: A color that alone is transparent, where there is no alpha channel.
    """
    peak = 1 if dtype.kind == "f" else np.iinfo(dtype).max
    pixels = np.empty((height, width, channels), np.float32)
    alpha = np.empty((height, width), dtype) if has_alpha or transparent is not None else None
    step = max(1, BAND_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        band = rows(top, bottom).reshape(bottom - top, width, -1)
        colors = band[..., :channels]
        np.divide(colors, np.float32(peak), out=pixels[top:bottom], dtype=np.float32)
        if alpha is None:
            continue
        if has_alpha:
            alpha[top:bottom] = band[..., channels]
        else:
            alpha[top:bottom] = np.where((colors == transparent).all(axis=-1), 0, peak)
    return pixels, alpha
