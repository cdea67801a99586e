"""What of a picture's metadata a format can keep, and what is lost."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from dataclasses import fields, replace

from PIL import Image as PillowImage

from kerasdenoise.images.formats import FORMATS, Format
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.tags import ORIENTATION, first_directory, read_directory

# What metadata is called to people.
_NAMES = {
    "icc": "color profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "xmp_extension": "the second part of XMP",
    "photoshop": "IPTC",
    "comments": "comments",
    "color": "PNG's color chunks",
    "texts": "PNG's texts",
    "segments": "segments of the camera's maker",
    "density": "resolution without a unit",
    "dpi": "dots per inch",
}


def kept_metadata(metadata: Metadata, row: Format) -> Metadata:
    """Returns what of metadata a file gets: what its format has a place for.

    Resolution that its numbers cannot state is left out. EXIF that is damaged is left out where a
    format lays it out anew; others copy it.

    Args:
        metadata: All that there is.
        row: The format.
    """
    held = {field.name for field in fields(Metadata)} & row.metadata
    kept = Metadata(**{name: getattr(metadata, name) for name in held})
    for name in ("dpi", "density"):
        value = getattr(kept, name)
        if value is not None and not _CAN_STATE[row.name](value, name == "density"):
            kept = replace(kept, **{name: None})
    can_be_parsed = _PARSERS.get(row.name)
    if kept.exif and can_be_parsed is not None and not can_be_parsed(kept.exif):
        kept = replace(kept, exif=None)
    return kept


def lost_metadata(image: Image, file_format: str) -> tuple[str, ...]:
    """Returns what of a picture's metadata a format cannot keep, in words.

    Args:
        image: The picture.
        file_format: A key of `formats.FORMATS`.
    """
    row = FORMATS[file_format]
    kept = kept_metadata(image.metadata, row)
    return tuple(
        f"the damaged {title}" if name == "exif" and name in row.metadata else title
        for name, title in _NAMES.items()
        if getattr(image.metadata, name) and not getattr(kept, name)
    )


def _can_be_followed(exif: bytes) -> bool:
    try:
        read_directory(exif, first_directory(exif))
    except (ValueError, struct.error):
        return False
    return True


def _can_be_parsed_by_pillow(exif: bytes) -> bool:
    """Whether Pillow, which takes the orientation out, can lay out the rest."""
    block = PillowImage.Exif()
    try:
        with warnings.catch_warnings(action="ignore"):
            block.load(exif)
            orientation = block.pop(ORIENTATION, 1)
            block.tobytes()
    except Exception:  # fed with foreign bytes, it may raise anything
        return False
    return isinstance(orientation, int)


def _are_integers(values: tuple[float, float], limit: int) -> bool:
    return all(value == round(value) and 0 < value < limit for value in values)


# Whether a format's numbers can state a resolution, with a unit or without.
_CAN_STATE: dict[str, Callable[[tuple[float, float], bool], bool]] = {
    "JPEG": lambda values, exact: (
        _are_integers(values, 2**16) if exact else all(1 <= round(v) < 2**16 for v in values)
    ),
    "PNG": lambda values, exact: (
        _are_integers(values, 2**31) if exact else all(0 < v < 2**31 * 0.0254 for v in values)
    ),
    "TIFF": lambda values, _: all(2**-20 < value < 2**20 for value in values),
    "BMP": lambda values, _: all(0 < round(value / 0.0254) < 2**31 for value in values),
}

# Of formats that lay EXIF out anew, whether their writer can.
_PARSERS: dict[str, Callable[[bytes], bool]] = {
    "AVIF": _can_be_parsed_by_pillow,
    "TIFF": _can_be_followed,
}
