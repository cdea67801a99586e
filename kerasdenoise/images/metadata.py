"""What of a picture's metadata goes into its file, and what does not, in words."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Literal, get_args

from PIL import Image as PillowImage

from kerasdenoise.errors import UsageError
from kerasdenoise.images import geotags
from kerasdenoise.images.formats import FORMATS, Format
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.tags import (
    EXIF,
    INTEROPERABILITY,
    ORIENTATION,
    Directory,
    byte_order,
    first_directory,
    pack_block,
    read_directory,
)

MetadataPolicy = Literal["keep", "no-gps", "none"]
"""`keep` everything; `no-gps`: all but what tells or may tell where the photo was taken; `none` but
what it looks like."""

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

# Resolution and its unit; the color space, which for Adobe RGB is `Uncalibrated` and told by the
# index and version of the interoperability directory.
_RESOLUTION = (282, 283, 296)
_COLOR = (0xA001, 1, 2)
_APPEARANCE = (ORIENTATION, *_RESOLUTION, *_COLOR)


def apply_policy(metadata: Metadata, policy: MetadataPolicy) -> Metadata:
    """Takes out of metadata what is not to be written.

    Neither policy touches what decides how the picture looks: the color profile, PNG's color
    chunks, EXIF's orientation and color space, and dots per inch. From EXIF the place alone is
    taken out; what else tells or may tell it goes as a whole.

    Args:
        metadata: What was read.
        policy: `keep`, `no-gps` or `none`.

    Raises:
        UsageError: There is no such policy.
    """
    if policy not in get_args(MetadataPolicy):
        known = ", ".join(get_args(MetadataPolicy))
        raise UsageError(f"metadata {policy}", "unknown", f"give one of {known}")
    if policy == "keep":
        return metadata
    if policy == "none":
        return Metadata(
            icc=metadata.icc,
            exif=_appearance_alone(metadata.exif),
            dpi=metadata.dpi,
            density=metadata.density,
            color=metadata.color,
        )
    tells = geotags.xmp_tells_place(metadata.xmp, metadata.xmp_extension)
    resources = metadata.photoshop
    return replace(
        metadata,
        exif=geotags.exif_without_place(metadata.exif) or _appearance_alone(metadata.exif),
        xmp=None if tells else metadata.xmp,
        xmp_extension=() if tells else metadata.xmp_extension,
        photoshop=None if geotags.resources_tell_place(resources) else resources,
        comments=tuple(each for each in metadata.comments if not geotags.is_mentioned(each)),
        texts=geotags.texts_without_place(metadata.texts),
        segments=(),  # of which nobody knows what they say
    )


def describe_losses(image: Image, file_format: str, policy: MetadataPolicy) -> tuple[str, ...]:
    """Returns in words what a picture's file will lack of what the picture was read from.

    Args:
        image: The picture.
        file_format: A key of `formats.FORMATS`.
        policy: What of the metadata is wanted. What `none` leaves out was asked for and is not
            among the losses.
    """
    wanted = replace(image, metadata=apply_policy(image.metadata, policy))
    notes = [*image.notes]
    if policy == "no-gps":
        whole = [name for name in _NAMES if _is_less(image.metadata, wanted.metadata, name)]
        if whole:
            names = ", ".join(_NAMES[name] for name in whole)
            notes.append(f"loses {names}: the place where it was taken is or may be in there")
    if lost := lost_metadata(wanted, file_format):
        title = FORMATS[file_format].title
        notes.append(f"loses {', '.join(lost)}: {title} cannot store it")
    return tuple(notes)


def _is_less(metadata: Metadata, wanted: Metadata, name: str) -> bool:
    """Whether a policy leaves out a block, or one of several; EXIF may become shorter."""
    before, after = getattr(metadata, name), getattr(wanted, name)
    return before != after and (name != "exif" or len(after or b"") < len(before))


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


def _appearance_alone(exif: bytes | None) -> bytes | None:
    """Makes an EXIF block of what decides how the picture looks; None if nothing does."""
    if not exif:
        return None
    try:
        tags = _pick(read_directory(exif, first_directory(exif)))
    except (ValueError, struct.error):  # nobody can follow it, and so it decides nothing
        return None
    return pack_block(tags, byte_order(exif)) if tags else None


def _pick(tags: Directory) -> Directory:
    picked = {number: tag for number, tag in tags.items() if number in _APPEARANCE}
    for number in (EXIF, INTEROPERABILITY):
        tag = tags.get(number)
        below = _pick(tag.directory) if tag and tag.directory else {}
        if tag and below:
            picked[number] = replace(tag, directory=below)
    return picked


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
