"""Photoshop's resources (8BIM), in which JPEG and TIFF files carry IPTC data."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

_IPTC = 0x0404
XMP_RESOURCE = 0x0424
EXIF_RESOURCES = (0x0422, 0x0423)


class _Resource(NamedTuple):
    """A resource: its number, where its length and data stand, and where the next begins."""

    number: int
    length_at: int
    data: bytes
    end: int


def _walk(block: bytes) -> Iterator[_Resource]:
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
        end = at + 4 + length + length % 2
        yield _Resource(number, at, block[at + 4 : at + 4 + length], end)
        at = end


def resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the number and the data of each resource, up to the first that is damaged."""
    for resource in _walk(block):
        yield resource.number, resource.data


def change_resources(
    block: bytes, change: Callable[[int | None, bytes], bytes | None]
) -> bytes | None:
    """Returns resources with other data; those that are not changed stay as they are.

    Args:
        block: The resources.
        change: Takes a resource's number and data, and returns its new data, or None to leave it
            out. What stands behind the last whole resource comes with the number None.

    Returns:
        The resources, or None where none are left.
    """
    parts = []
    at = 0
    for number, length_at, data, end in _walk(block):
        changed = change(number, data)
        if changed == data:
            parts.append(block[at:end])
        elif changed is not None:
            parts += [block[at:length_at], _pack(changed)]
        at = end
    if at < len(block):
        parts.append(change(None, block[at:]) or b"")
    return b"".join(parts) or None


def iptc_of(block: bytes) -> bytes | None:
    """Returns the IPTC record within Photoshop's resources, or None."""
    return next((data for number, data in resources(block) if number == _IPTC), None)


def resources_of(iptc: bytes) -> bytes:
    """Returns Photoshop's resources with nothing but an IPTC record in them."""
    return b"8BIM" + struct.pack(">HH", _IPTC, 0) + _pack(iptc)


def _pack(data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + data + b"\x00" * (len(data) % 2)
