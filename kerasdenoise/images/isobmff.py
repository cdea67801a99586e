"""What the boxes of AVIF and HEIC files say beside their pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError

_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
# Of `nclx` colors: unknown or those of sRGB, which is what a file without a profile means.
_PRIMARIES = (1, 2)
_TRANSFERS = (1, 2, 6, 13, 14)
# Boxes that hold boxes, and the bytes before the first of them.
_NESTED = {b"meta": 4, b"iprp": 0, b"ipco": 0}


class Box(NamedTuple):
    """A box: its kind, and what is in it."""

    kind: bytes
    body: bytes


def read_boxes(data: bytes) -> list[Box]:
    """Lists all boxes that tell of pictures, those within others too.

    Raises:
        RefusedError: The file ends before a box does.
    """
    return list(_boxes(memoryview(data), outermost=True))


def _boxes(view: memoryview, *, outermost: bool = False) -> Iterator[Box]:
    at = 0
    while at + 8 <= len(view):
        size, kind = struct.unpack_from(">L4s", view, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", view, at + 8)
            head = 16
        elif size == 0:
            size = len(view) - at
        if size < head or at + size > len(view):
            # Behind the pixels there may be anything.
            if outermost and at + 8 < len(view) and kind.isalnum():
                raise RefusedError("is truncated", COPY_AGAIN)
            return
        if kind in _NESTED:
            yield from _boxes(view[at + head + _NESTED[kind] : at + size])
        elif kind != b"mdat":
            yield Box(kind, bytes(view[at + head : at + size]))
        at += size


def check_boxes(boxes: list[Box], reading: Reading) -> None:
    """Refuses what would be lost: more than 8 bits, HDR, gain maps and depth maps."""
    for kind, body in boxes:
        bits = _bits(kind, body)
        if bits > 8:
            raise RefusedError(
                f"has {bits} bits, which cannot be kept yet", "convert it to 8 bits first"
            )
        if kind == b"colr" and body.startswith(b"nclx"):
            primaries, transfer = struct.unpack_from(">HH", body, 4)
            if primaries not in _PRIMARIES or transfer not in _TRANSFERS:
                raise RefusedError(
                    "has colors that are no sRGB and have no profile, which cannot be kept yet",
                    "convert it to sRGB first",
                )
    extra = [kind for kind, body in boxes if kind == b"auxC" and not body[4:].startswith(_ALPHA)]
    if extra or any(kind == b"iinf" and b"tmap" in body for kind, body in boxes):
        reading.leave_out(
            "holds a gain map or a depth map, which would be lost", "save the picture without it"
        )


def _bits(kind: bytes, body: bytes) -> int:
    """Returns the bits per sample that a box states, 0 if none."""
    if kind == b"pixi":
        return max(body[5 : 5 + body[4]], default=0)
    if kind == b"av1C":
        return (8, 10, 12)[bool(body[2] & 0x40) + bool(body[2] & 0x40 and body[2] & 0x20)]
    if kind == b"hvcC":
        return 8 + (body[17] & 7)
    return 0
