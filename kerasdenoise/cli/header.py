"""Reads the size of a photo from its header, for planning."""

from __future__ import annotations

import mmap
import warnings
from pathlib import Path
from typing import BinaryIO

from kerasdenoise.images.formats import format_of_content, format_of_suffix
from kerasdenoise.images.tags import byte_order, directories, first_number

_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP")


def read_size(source: Path) -> tuple[int, int] | None:
    """Returns a photo's width and height from its header, or None if they are unknown.

    The header of camera raw is that of a small preview, so it is not used. Damaged files are
    reported later, when they are read.
    """
    from PIL import Image

    row = format_of_suffix(source)
    if row is not None and row.name == "RAW":
        return None
    try:
        with source.open("rb") as file:
            if source.stat().st_size and (size := _tiff_size(file)):
                return size
            with (
                warnings.catch_warnings(action="ignore"),
                Image.open(file, formats=_FORMATS) as image,
            ):
                return image.size
    except Exception:  # decoders may raise anything on damaged files
        return None


def _tiff_size(file: BinaryIO) -> tuple[int, int] | None:
    """Returns the size of a TIFF file's first page without reading all tags, as Pillow would."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        row = format_of_content(content[:16])
        if row is None or row.name != "TIFF":
            return None
        tags = next(directories(content), {})
        order = byte_order(content)
        width, height = (first_number(tags, number, order) for number in (256, 257))
        return (width, height) if width and height else None
