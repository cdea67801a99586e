"""Photoshop's resources (8BIM), in which JPEG and TIFF files carry IPTC data."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_IPTC = 0x0404


def resources(block: bytes) -> Iterator[tuple[int | None, bytes]]:
    """Yields the number and the data of each resource; what is behind the last one has none."""
    at = 0
    while block.startswith(b"8BIM", at) and at + 7 <= len(block):
        (number,) = struct.unpack_from(">H", block, at + 4)
        name = 1 + block[at + 6]
        start = at + 10 + name + name % 2
        if start > len(block):
            break
        (length,) = struct.unpack_from(">L", block, start - 4)
        if start + length > len(block):
            break
        yield number, block[start : start + length]
        at = start + length + length % 2
    if at < len(block):
        yield None, block[at:]


def iptc_of(block: bytes) -> bytes | None:
    """Returns the IPTC record within Photoshop's resources, or None."""
    return next((data for number, data in resources(block) if number == _IPTC), None)


def resources_of(iptc: bytes) -> bytes:
    """Returns Photoshop's resources with nothing but an IPTC record in them."""
    head = struct.pack(">HHL", _IPTC, 0, len(iptc))
    return b"8BIM" + head + iptc + b"\x00" * (len(iptc) % 2)
