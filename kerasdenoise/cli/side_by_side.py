"""Pictures beside each other, as they are to be looked at."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kerasdenoise.images.image import Image, Metadata

_ORIENTATION = 0x0112
# Which tag undoes what a tag asks for.
_UNDOES = {6: 8, 8: 6}


def side_by_side(images: Sequence[Image]) -> Image:
    """Puts pictures of one size and orientation beside each other, upright.

    Args:
        images: The pictures, from left to right.

    Returns:
        A picture of 8 bits in the colors of the first, without transparency.
    """
    tag = orientation(images[0])
    strip = np.concatenate([turn(image.pixels, tag) for image in images], axis=1)
    metadata = images[0].metadata
    return Image(np.clip(strip, 0, 1), metadata=Metadata(icc=metadata.icc, color=metadata.color))


def crop(image: Image, rows: range, columns: range) -> Image:
    """Cuts a part out of a picture as it is stored; transparency is left behind."""
    pixels = image.pixels[rows.start : rows.stop, columns.start : columns.stop]
    return replace(image, pixels=np.ascontiguousarray(pixels), alpha=None)


def orientation(image: Image) -> int:
    """Returns the orientation tag of a picture, of 1 to 8; 1 where it has none."""
    from PIL import Image as PillowImage

    exif = PillowImage.Exif()
    try:
        with warnings.catch_warnings(action="ignore"):
            exif.load(image.metadata.exif or b"")
            tag = exif.get(_ORIENTATION)
    except Exception:  # a block that nobody can follow turns nothing
        return 1
    return tag if isinstance(tag, int) and 1 <= tag <= 8 else 1


def turn(pixels: np.ndarray, tag: int) -> np.ndarray:
    """Turns pixels (height, width, ...) as an orientation tag asks for; a view."""
    if tag >= 5:
        pixels = pixels.swapaxes(0, 1)
    if tag in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if tag in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def turn_back(pixels: np.ndarray, tag: int) -> np.ndarray:
    """Undoes `turn`; a view."""
    return turn(pixels, _UNDOES.get(tag, tag))
