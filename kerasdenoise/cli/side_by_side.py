"""Upright images side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.orientation import orientation, turn


def side_by_side(images: Sequence[Image]) -> Image:
    """Puts images of the same upright size side by side.

    Args:
        images: The images, from left to right.

    Returns:
        An 8-bit image with the color profile of the first, without transparency.
    """
    strip = np.concatenate([turn(image.pixels, orientation(image)) for image in images], axis=1)
    return as_picture(strip, images[0])


def as_picture(upright: np.ndarray, source: Image) -> Image:
    """Makes an 8-bit image of upright pixels, with the color profile of another."""
    metadata = source.metadata
    return Image(np.clip(upright, 0, 1), metadata=Metadata(icc=metadata.icc, color=metadata.color))


def crop(image: Image, rows: range, columns: range) -> Image:
    """Crops an image as it is stored, without transparency."""
    pixels = image.pixels[rows.start : rows.stop, columns.start : columns.stop]
    return replace(image, pixels=np.ascontiguousarray(pixels), alpha=None)
