"""Photoshop's resources (8BIM), in which JPEG and TIFF files carry IPTC data."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_IPTC = 0x0404


def resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the number and the data of each resource, up to the first that is damaged."""
    at = 0
    while block.startswith(b"8BIM", at) and at + 7 <= len(block):
        (number,) = struct.unpack_from(">H", block, at + 4)
        name = 1 + block[at + 6]
        at += 6 + name + name % 2
        if at + 4 > len(block):
            return
        (length,) = struct.unpack_from(">L", block, at)
        if at + 4 + length > len(block):
            return
        yield number, block[at + 4 : at + 4 + length]
        at += 4 + length + length % 2


def iptc_of(block: bytes) -> bytes | None:
    """Returns the IPTC record within Photoshop's resources, or None."""
    return next((data for number, data in resources(block) if number == _IPTC), None)


def resources_of(iptc: bytes) -> bytes:
    """Returns Photoshop's resources with nothing but an IPTC record in them."""
    return b"8BIM" + struct.pack(">HHL", _IPTC, 0, len(iptc)) + iptc + b"\x00" * (len(iptc) % 2)
