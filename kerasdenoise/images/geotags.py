"""Where a photo was taken: which metadata tells it, and EXIF without it."""

from __future__ import annotations

import re
import struct

from kerasdenoise.images.photoshop import resources
from kerasdenoise.images.png import read_text
from kerasdenoise.images.refusal import Reading
from kerasdenoise.images.tags import (
    GPS,
    ByteOrder,
    Directory,
    Tag,
    byte_order,
    first_directory,
    read_directory,
)

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
