"""Pictures beside each other, as they are to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.orientation import orientation, turn


def side_by_side(images: Sequence[Image]) -> Image:
    """Puts pictures beside each other that have one size when they are upright.

    Args:
        images: The pictures, from left to right.

    Returns:
        A picture of 8 bits in the colors of the first, without transparency.
    """
    strip = np.concatenate([turn(image.pixels, orientation(image)) for image in images], axis=1)
    return as_picture(strip, images[0])


def as_picture(upright: np.ndarray, source: Image) -> Image:
    """Makes a picture of 8 bits of upright pixels, in the colors of another."""
    metadata = source.metadata
    return Image(np.clip(upright, 0, 1), metadata=Metadata(icc=metadata.icc, color=metadata.color))


def crop(image: Image, rows: range, columns: range) -> Image:
    """Cuts a part out of a picture as it is stored; transparency is left behind."""
    pixels = image.pixels[rows.start : rows.stop, columns.start : columns.stop]
    return replace(image, pixels=np.ascontiguousarray(pixels), alpha=None)
