"""How pictures are turned, by a tag or by their pixels, cropped, and put side by side."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.tags import ORIENTATION

# Which tag undoes what a tag asks for.
_UNDOES = {6: 8, 8: 6}
# Height of captions, and width of the line between images that have some, in pixels.
_BAND = 32
_LINE = 2


def orientation(image: Image) -> int:
    """Returns the orientation tag of a picture, of 1 to 8; 1 where it has none."""
    from PIL import Image as PillowImage

    exif = PillowImage.Exif()
    try:
        with warnings.catch_warnings(action="ignore"):
            exif.load(image.metadata.exif or b"")
            tag = exif.get(ORIENTATION)
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


def turn_upright(image: Image) -> Image:
    """Turns a picture as its orientation tag asks for, for a file that cannot have that tag.

    Returns:
        The picture, of which the pixels and alpha are views; its metadata is not changed but for
        dots per inch, which belong to the axes.
    """
    tag = orientation(image)
    alpha = None if image.alpha is None else turn(image.alpha, tag)
    dpi, density = image.metadata.dpi, image.metadata.density
    if tag >= 5:
        dpi, density = dpi and dpi[::-1], density and density[::-1]
    metadata = replace(image.metadata, dpi=dpi, density=density)
    return replace(image, pixels=turn(image.pixels, tag), alpha=alpha, metadata=metadata)


def side_by_side(images: Sequence[Image], captions: Sequence[str] = ()) -> Image:
    """Puts images of the same upright size side by side.

    Args:
        images: The images, from left to right.
        captions: A line of text above each; then a white line stands between images, too.

    Returns:
        An 8-bit image with the color profile of the first, without transparency.
    """
    upright = [turn(image.pixels, orientation(image)) for image in images]
    if captions:
        upright = [_caption(*each) for each in zip(upright, captions, strict=True)]
        line = np.ones_like(upright[0][:, :_LINE])
        upright = [part for pixels in upright for part in (line, pixels)][1:]
    return as_picture(np.concatenate(upright, axis=1), images[0])


def _caption(pixels: np.ndarray, text: str) -> np.ndarray:
    """Adds a black band above pixels (height, width, channels), with white text, cut to fit."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    band = PillowImage.new("L", (pixels.shape[1], _BAND))
    ImageDraw.Draw(band).text((_BAND // 4, _BAND // 8), text, fill=255, font_size=_BAND // 2)
    band = np.asarray(band, np.float32)[..., np.newaxis] / 255
    return np.concatenate([np.repeat(band, pixels.shape[2], axis=2), pixels])


def as_picture(upright: np.ndarray, source: Image) -> Image:
    """Makes an 8-bit image of upright pixels, with the color profile of another."""
    metadata = source.metadata
    return Image(np.clip(upright, 0, 1), metadata=Metadata(icc=metadata.icc, color=metadata.color))


def crop(image: Image, rows: range, columns: range) -> Image:
    """Crops an image as it is stored, without transparency."""
    pixels = image.pixels[rows.start : rows.stop, columns.start : columns.stop]
    return replace(image, pixels=np.ascontiguousarray(pixels), alpha=None)
