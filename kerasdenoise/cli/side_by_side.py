"""Pictures beside each other, as they are to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.orientation import orientation, turn


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
