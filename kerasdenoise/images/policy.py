"""What of a picture's metadata goes into its file: all, all but the place, or nothing."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from typing import Literal, get_args

from kerasdenoise.errors import UsageError
from kerasdenoise.images.image import Metadata
from kerasdenoise.images.tags import (
    GPS,
    ORIENTATION,
    Directory,
    byte_order,
    first_directory,
    pack_block,
    read_directory,
)

MetadataPolicy = Literal["keep", "no-gps", "none"]
"""`keep` everything; `no-gps`: all but where the photo was taken; `none` but what it looks like."""

# XMP has the place as attributes or as elements. The prefix is free, in practice always this one.
_XMP_PLACE = re.compile(
    rb"\s+exif:GPS\w+\s*=\s*(\"[^\"]*\"|'[^']*')"
    rb"|<exif:GPS(\w+)\b[^>]*?(/>|>.*?</exif:GPS\2\s*>)",
    re.DOTALL,
)


def apply_policy(metadata: Metadata, policy: MetadataPolicy) -> Metadata:
    """Takes out of metadata what is not to be written.

    Neither policy touches what decides how the picture looks: the color profile, PNG's color
    chunks, the orientation tag and dots per inch.

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
            exif=_only_orientation(metadata.exif),
            dpi=metadata.dpi,
            color=metadata.color,
        )
    return replace(
        metadata,
        exif=_without_place(metadata.exif),
        xmp=_xmp_without_place(metadata.xmp),
        xmp_extension=tuple(
            part
            for part in metadata.xmp_extension
            if b"GPS" not in b"".join(metadata.xmp_extension)
        ),
        texts=tuple(text for text in metadata.texts if b"GPS" not in text[1].upper()),
    )


def _read(exif: bytes | None) -> Directory | None:
    """Returns the first directory of an EXIF block, or None where it cannot be followed."""
    if not exif:
        return None
    try:
        return read_directory(exif, first_directory(exif))
    except (ValueError, struct.error):
        return None


def _only_orientation(exif: bytes | None) -> bytes | None:
    tags = _read(exif)
    if exif is None or tags is None or ORIENTATION not in tags:
        return None
    return pack_block({ORIENTATION: tags[ORIENTATION]}, byte_order(exif))


def _without_place(exif: bytes | None) -> bytes | None:
    """Empties the GPS directory where it stands: makers' notes point into the block.

    A block that cannot be followed is dropped, as nobody knows what it says.
    """
    if not exif:
        return exif
    tags = _read(exif)
    if tags is None:
        return None
    block = bytearray(exif)
    _empty_gps(block, tags)
    return bytes(block)


def _empty_gps(block: bytearray, tags: Directory) -> None:
    for number, tag in tags.items():
        if number != GPS:
            if tag.directory is not None:
                _empty_gps(block, tag.directory)
            continue
        order = byte_order(bytes(block[:2]))
        (start,) = tag.numbers(order)[:1]
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for entry in (tag.directory or {}).values():
            block[entry.place : entry.place + len(entry.value)] = bytes(len(entry.value))
        # No entries, and no further directory behind them.
        end = min(len(block), start + 2 + 12 * count + 4)
        block[start:end] = bytes(end - start)


def _xmp_without_place(xmp: bytes | None) -> bytes | None:
    """Cuts the place out; drops a packet that still speaks of it, as in UTF-16 or by a prefix."""
    if xmp is None:
        return None
    cut = _XMP_PLACE.sub(b"", xmp)
    return None if b":GPS" in cut.replace(b"\x00", b"") else cut
