"""What of a picture's metadata goes into its file, and what does not, in words."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Literal, get_args

from PIL import Image as PillowImage

from kerasdenoise.errors import UsageError
from kerasdenoise.images.formats import FORMATS, Format
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.photoshop import resources
from kerasdenoise.images.png import read_text
from kerasdenoise.images.refusal import Reading
from kerasdenoise.images.tags import (
    EXIF,
    GPS,
    INTEROPERABILITY,
    ORIENTATION,
    ByteOrder,
    Directory,
    Tag,
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

_MAKER_NOTE = 0x927C
# What puts a picture on a map: GeoTIFF's tags, their forerunner, and coefficients of a sensor.
_GEO_TIFF = (33550, 33920, 33922, 34264, 34735, 34736, 34737, 50844)
_ENTRY = 12
# Photoshop's resources of other kinds of metadata.
_XMP_RESOURCE, _EXIF_RESOURCES = 0x0424, (0x0422, 0x0423)

# A property's name with any prefix, as XMP, drones and others have it. Names are looked for
# only where one can begin, so that long runs of letters, as pictures in XMP are, take no time.
_LETTER = rb"[\w.\x80-\xff-]"
_WORD = rb"(?:gps|latitude|longitude)"
_NAME = rb"(?!xmlns:)(?=" + _LETTER + rb"+:)(?:" + _LETTER + rb"|:)*" + _WORD
_XMP_MENTION = re.compile(rb"[\s\"'</]" + _NAME + rb"|</?" + _WORD, re.IGNORECASE)
# A segment of extended XMP begins with an identifier, the whole length, and its own place in it.
_EXTENSION_HEAD = 40


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
    tells = xmp_tells_place(metadata.xmp, metadata.xmp_extension)
    resources = metadata.photoshop
    return replace(
        metadata,
        exif=exif_without_place(metadata.exif) or _appearance_alone(metadata.exif),
        xmp=None if tells else metadata.xmp,
        xmp_extension=() if tells else metadata.xmp_extension,
        photoshop=None if resources_tell_place(resources) else resources,
        comments=tuple(each for each in metadata.comments if not is_mentioned(each)),
        texts=texts_without_place(metadata.texts),
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
            notes.append(f"loses {names}, which may contain the location")
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


def exif_without_place(exif: bytes | None) -> bytes | None:
    """Takes the place out of an EXIF block where it stands: makers' notes point into the block.

    Args:
        exif: The block, from its TIFF header on.

    Returns:
        A block of the same length; None where it, or the place in it, cannot be followed, as
        nobody knows what it says.
    """
    if not exif:
        return None
    block = bytearray(exif)
    try:
        order = byte_order(exif)
        start = first_directory(exif)
        behind = _take_out(block, start, read_directory(exif, start), order)
    except (ValueError, struct.error):
        return None
    try:  # the directory of the preview
        (start,) = struct.unpack_from(f"{order}L", block, behind)
        if start:
            _take_out(block, start, read_directory(exif, start), order)
    except (ValueError, struct.error):
        block[behind : behind + 4] = bytes(len(block[behind : behind + 4]))
    return bytes(block)


def _take_out(block: bytearray, at: int, tags: Directory, order: ByteOrder) -> int:
    """Removes a directory's entries on the place, and what they lead to.

    Returns:
        Where the pointer to the next directory now stands.

    Raises:
        ValueError: An entry leads to a place that cannot be found.
        struct.error: The block ends before the directory does.
    """
    (count,) = struct.unpack_from(f"{order}H", block, at)
    kept = []
    for start in range(at + 2, at + 2 + _ENTRY * count, _ENTRY):
        (number,) = struct.unpack_from(f"{order}H", block, start)
        tag = tags.get(number)
        if _is_place(number, tag):
            _erase(block, tag, order)
            continue
        kept.append(block[start : start + _ENTRY])
        if tag is not None and tag.directory is not None:
            _take_out(block, tag.numbers(order)[0], tag.directory, order)
    end = at + 2 + _ENTRY * count
    behind = at + 2 + _ENTRY * len(kept)
    table = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + block[end : end + 4]
    block[at : end + 4] = table.ljust(len(block[at : end + 4]), b"\x00")
    return behind


def _is_place(number: int, tag: Tag | None) -> bool:
    if number == GPS and (tag is None or tag.directory is None):
        raise ValueError("its place cannot be found")
    if number == GPS or number in _GEO_TIFF:
        return True
    # By chance a maker's note, which is no text, may have these letters.
    return tag is not None and number != _MAKER_NOTE and is_mentioned(tag.value)


def _erase(block: bytearray, tag: Tag | None, order: ByteOrder) -> None:
    if tag is None:
        return
    if tag.directory is not None:
        (start,) = tag.numbers(order)[:1]
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for entry in tag.directory.values():
            _erase(block, entry, order)
        end = min(len(block), start + 2 + _ENTRY * count)
        block[start:end] = bytes(end - start)
    block[tag.place : tag.place + len(tag.value)] = bytes(len(tag.value))


def xmp_tells_place(xmp: bytes | None, extension: tuple[bytes, ...] = ()) -> bool:
    """Whether an XMP packet, or the segments of extended XMP, have a property of the place.

    They are joined to be searched, as a name may begin in one segment and end in the next.
    """
    ordered = sorted(extension, key=lambda part: part[:_EXTENSION_HEAD])
    packets = (xmp or b"", b"".join(part[_EXTENSION_HEAD:] for part in ordered))
    # Without zeros, so that UTF-16 is found as well.
    return any(_XMP_MENTION.search(packet.replace(b"\x00", b"")) for packet in packets)


def resources_tell_place(block: bytes | None) -> bool:
    """Whether one of Photoshop's resources tells the place, or EXIF in them cannot be followed."""
    return any(_resource_tells_place(number, data) for number, data in resources(block or b""))


def _resource_tells_place(number: int | None, data: bytes) -> bool:
    if number in _EXIF_RESOURCES:
        return exif_without_place(data) != data
    return xmp_tells_place(data) if number == _XMP_RESOURCE else is_mentioned(data)


def texts_without_place(
    texts: tuple[tuple[bytes, bytes], ...],
) -> tuple[tuple[bytes, bytes], ...]:
    """Returns PNG's text chunks but for those that mention the place, or cannot be read."""
    inflate = Reading().inflate
    said = [(read_text(*text, inflate), text) for text in texts]
    return tuple(
        text for words, text in said if words is not None and not is_mentioned(text[1] + words)
    )


def is_mentioned(data: bytes) -> bool:
    """Whether a text has GPS in it, in UTF-16 too."""
    return b"gps" in data.replace(b"\x00", b"").lower()
