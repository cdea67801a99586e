"""What decoders give, to the pixels of an `Image` and its alpha channel, band by band."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerasdenoise.pixels import BAND_PIXELS, to_pixels


def take_array(
    decoded: np.ndarray,
    *,
    channels: int,
    has_alpha: bool,
    exact: bool,
    transparent: tuple[int, ...] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Does what `take_rows` does with samples that are an array already.

    Args:
        decoded: Shape (height, width, channels and alpha); (height, width) will do for one
            sample. Where nothing is to be done to it, it is what comes back.
        channels: As for `take_rows`.
        has_alpha: As for `take_rows`.
        exact: As for `take_rows`.
        transparent: As for `take_rows`.
    """
    height, width = decoded.shape[:2]
    if exact and not has_alpha and transparent is None:
        native = decoded.dtype.newbyteorder("=")
        samples = decoded.reshape(height, width, channels).astype(native, copy=False)
        return np.ascontiguousarray(samples), None
    return take_rows(
        lambda top, bottom: decoded[top:bottom],
        height,
        width,
        channels=channels,
        dtype=decoded.dtype,
        has_alpha=has_alpha,
        exact=exact,
        transparent=transparent,
    )


def take_rows(
    rows: Callable[[int, int], np.ndarray],
    height: int,
    width: int,
    *,
    channels: int,
    dtype: np.dtype,
    has_alpha: bool,
    exact: bool,
    transparent: tuple[int, ...] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns a picture's pixels, and its alpha channel as it is.

    Args:
        rows: Gives the samples of the rows from one to before another, of shape
            (rows, width, channels and alpha); (rows, width) will do for one sample.
        height: Rows of the picture.
        width: Pixels in a row.
        channels: 1 for gray, 3 for RGB.
        dtype: Of the samples. Floating-point numbers are taken as they are.
        has_alpha: Whether a sample of alpha follows those of color.
        exact: Whether pixels stay of this type, rather than float32 on the scale of [0, 1].
        transparent: A color that alone is transparent, where there is no alpha channel.
    """
    dtype = dtype.newbyteorder("=")
    peak = 1 if dtype.kind == "f" else np.iinfo(dtype).max
    pixels = np.empty((height, width, channels), dtype if exact else np.float32)
    alpha = np.empty((height, width), dtype) if has_alpha or transparent is not None else None
    step = max(1, BAND_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        band = rows(top, bottom).reshape(bottom - top, width, -1)
        colors = band[..., :channels]
        pixels[top:bottom] = colors if exact else to_pixels(colors)
        if alpha is None:
            continue
        if has_alpha:
            alpha[top:bottom] = band[..., channels]
        else:
            alpha[top:bottom] = np.where((colors == transparent).all(axis=-1), 0, peak)
    return pixels, alpha
