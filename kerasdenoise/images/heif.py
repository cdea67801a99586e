"""AVIF and HEIC files of 8 bits: boxes that tell of pictures, of which a library decodes one.

HEIC is read and written by the extra `heif`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.images.decoding import (
    bare_exif,
    decode,
    metadata_of,
    note_unread,
    open_picture,
    take_array,
)
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError, import_extra
from kerasdenoise.images.tags import set_upright

_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
# Of `nclx` colors: unknown or those of sRGB, which is what a file without a profile means.
_PRIMARIES = (1, 2)
# Those of television before HDTV, whose colors are close to sRGB's.
_OLD_PRIMARIES = {5: "BT.470BG", 6: "SMPTE 170M"}
_TRANSFERS = (1, 2, 6, 13, 14)
# What makes up the picture, or is kept another way; what else a file has is named.
_KNOWN_BOXES = (b"ftyp", b"free", b"skip", b"moov")
_KNOWN_PROPERTIES = (
    *(b"ispe", b"pixi", b"colr", b"av1C", b"hvcC", b"auxC", b"irot", b"imir"),
    *(b"a1op", b"a1lx", b"lsel"),
)
_KNOWN_TEXTS = (b"Exif", b"application/rdf+xml")
_PICTURES = (b"av01", b"hvc1", b"grid", b"iovl", b"iden", b"tmap", b"jpeg", b"unci")
# Pictures are made of others in so many steps; of tiles and gain maps in two.
_DEEPEST = 4
# Boxes that hold boxes, and the bytes before the first of them.
_NESTED = {b"meta": 4, b"iprp": 0, b"ipco": 0}
# Channels of pillow_heif's modes.
_MODES = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}


def read_avif(data: bytes, reading: Reading) -> Image:
    """Reads an AVIF file; refuses animations, more than 8 bits, HDR and gain maps.

    Its own turns and mirrors become the orientation tag, as Pillow does it; pixels stay.
    """
    boxes = read_boxes(data)
    check_boxes(boxes, reading)
    note_others(boxes, reading)
    picture = open_picture(data, "AVIF", reading)
    pixels, alpha = decode(picture, reading)
    metadata = metadata_of(picture)
    note_unread(_blocks(boxes), metadata, reading)
    return Image(pixels, alpha, format="AVIF", metadata=metadata)


def read_heif(data: bytes, reading: Reading) -> Image:
    """Reads a HEIC file; refuses several pictures, more than 8 bits, HDR and gain maps.

    Its own turns and mirrors are carried out by the decoder, which sets the orientation tag
    to match.
    """
    pillow_heif = import_extra("pillow_heif", "heif")
    boxes = read_boxes(data)
    check_boxes(boxes, reading)
    note_others(boxes, reading, cuts=True)
    pictures = pillow_heif.open_heif(data)
    width, height = pictures.size
    reading.check_size(width, height, len(data), reading.pixel_bytes(4))
    if len(pictures) > 1:
        reading.leave_out(
            f"holds {len(pictures)} pictures, of which only the first would be left",
            "save the picture you want as a file of its own",
        )
    picture = pictures[pictures.primary_index]
    mode = picture.mode
    if mode not in _MODES:
        raise ValueError(f"colors of mode {mode}")
    decoded = np.asarray(picture)
    pixels, alpha = take_array(
        decoded, channels=_MODES[mode], has_alpha=mode.endswith("A"), exact=reading.exact
    )
    info: dict[str, Any] = picture.info
    metadata = Metadata(
        icc=info.get("icc_profile") or None,
        exif=_upright(bare_exif(info.get("exif") or None)),
        xmp=info.get("xmp") or None,
    )
    note_unread(_blocks(boxes), metadata, reading)
    return Image(pixels, alpha, format="HEIF", metadata=metadata)


def _upright(exif: bytes | None) -> bytes | None:
    try:
        return set_upright(exif) if exif else None
    except (ValueError, struct.error):  # nobody else can follow it either
        return exif


def encode_heif(samples: np.ndarray, image: Image, options: dict[str, object]) -> bytes:
    """Codes samples of 8 bits, with the picture's metadata.

    Args:
        samples: uint8 of shape (height, width) or (height, width, 3 or 4).
        image: Whose metadata it is.
        options: The coder's, such as `quality`.
    """
    pillow_heif = import_extra("pillow_heif", "heif")
    coder = pillow_heif.from_pillow(PillowImage.fromarray(samples))
    stream = io.BytesIO()
    blocks = {"exif": image.metadata.exif, "xmp": image.metadata.xmp}
    if image.metadata.icc:
        coder.info["icc_profile"] = image.metadata.icc
    coder.save(stream, **options, **blocks)
    return stream.getvalue()


class Box(NamedTuple):
    """A box: its kind, what is in it, and the kind of the box that it is in."""

    kind: bytes
    body: bytes
    parent: bytes


def read_boxes(data: bytes) -> list[Box]:
    """Lists all boxes that tell of pictures, those within others too.

    Raises:
        RefusedError: The file ends before a box does.
    """
    return list(_boxes(memoryview(data)))


def _boxes(view: memoryview, parent: bytes = b"") -> Iterator[Box]:
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
            if not parent and at + 8 < len(view) and kind.isalnum():
                raise RefusedError("is truncated", COPY_AGAIN)
            break
        if kind in _NESTED:
            yield from _boxes(view[at + head + _NESTED[kind] : at + size], kind)
        elif kind != b"mdat":
            yield Box(kind, bytes(view[at + head : at + size]), parent)
        at += size
    if not parent and at < len(view):
        yield Box(b"", bytes(view[at:]), parent)


def check_boxes(boxes: list[Box], reading: Reading) -> None:
    """Refuses what would be lost: more than 8 bits, HDR, gain maps and depth maps."""
    for kind, body, _ in _of_picture(boxes):
        bits = _bits(kind, body)
        if bits > 8:
            raise RefusedError(
                f"has {bits} bits, which are not supported yet", "convert it to 8 bits first"
            )
        if kind == b"colr" and body.startswith(b"nclx"):
            primaries, transfer = struct.unpack_from(">HH", body, 4)
            if primaries in _OLD_PRIMARIES:
                reading.notes.append(
                    f"has the primaries of {_OLD_PRIMARIES[primaries]}: it is written as sRGB, "
                    "which differs little"
                )
                primaries = _PRIMARIES[0]
            if primaries not in _PRIMARIES or transfer not in _TRANSFERS:
                raise RefusedError(
                    "has colors other than sRGB without a profile, which are not supported yet",
                    "convert it to sRGB first",
                )
    extra = [kind for kind, body, _ in boxes if kind == b"auxC" and not body[4:].startswith(_ALPHA)]
    if extra or any(kind == b"iinf" and b"tmap" in body for kind, body, _ in boxes):
        reading.leave_out(
            "holds a gain map or a depth map, which would be lost", "save the picture without it"
        )


def note_others(boxes: list[Box], reading: Reading, *, cuts: bool = False) -> None:
    """Names what a file has beside its picture, of which no result will know.

    Args:
        boxes: All of the file.
        reading: What gets the notes; it decides about further pictures.
        cuts: Whether the decoder cuts the picture as its file asks for.
    """
    top = [box for box in boxes if not box.parent]
    kinds = [box.kind for box in top if box.kind]
    reading.note_lost("boxes", [kind for kind in kinds if kind not in _KNOWN_BOXES])
    for box in top:
        if not box.kind:
            reading.note_behind(box.body)
    known = (*_KNOWN_PROPERTIES, b"clap") if cuts else _KNOWN_PROPERTIES
    properties = [box.kind for box in _of_picture(boxes) if box.parent == b"ipco"]
    reading.note_lost("properties", [kind for kind in properties if kind not in known])
    try:
        bodies = _bodies(boxes)
        related = _related(bodies)
        items = [item for item in _items(bodies[b"iinf"]) if item.number not in related]
    except (KeyError, struct.error, IndexError):
        return  # it is left to the decoder what is to be made of it
    others = [item.kind for item in items if item.kind not in (*_PICTURES, *_KNOWN_TEXTS)]
    reading.note_lost("items", others)
    pictures = [item for item in items if item.kind in _PICTURES and not item.hidden]
    if pictures and not cuts:  # HEIC's decoder counts them itself
        reading.leave_out(
            f"holds {1 + len(pictures)} pictures, of which only the first would be left",
            "save the picture you want as a file of its own",
        )


def _blocks(boxes: list[Box]) -> Iterator[str]:
    """Yields the blocks of metadata of the main picture, by their names in `Metadata`."""
    for box in _of_picture(boxes):
        if box.kind == b"colr" and box.body[:4] in (b"prof", b"rICC"):
            yield "icc"
    bodies = _bodies(boxes)
    try:
        items = {item.number: item.kind for item in _items(bodies[b"iinf"])}
        main = _main_item(bodies)
        references = list(_references(bodies.get(b"iref", b"\0\0\0\0")))
    except (KeyError, struct.error, IndexError):
        return
    names = {b"Exif": "exif", b"application/rdf+xml": "xmp"}
    for kind, source, targets in references:
        name = names.get(items.get(source, b""))
        if kind == b"cdsc" and main in targets and name:
            yield name


class _Item(NamedTuple):
    """What an item is: a kind of picture, or what its text is of."""

    number: int
    kind: bytes
    hidden: bool


def _items(body: bytes) -> Iterator[_Item]:
    """Yields the items of a file, from the contents of its `iinf` box."""
    for _, entry, _ in _boxes(memoryview(body)[6 if body[0] == 0 else 8 :], b"iinf"):
        if entry[0] < 2:  # of a version that tells texts alone
            (number,) = struct.unpack_from(">H", entry, 4)
            yield _Item(number, entry[8:].split(b"\0")[1], False)
            continue
        number, _, kind = struct.unpack_from(">HH4s" if entry[0] == 2 else ">LH4s", entry, 4)
        rest = entry[12 if entry[0] == 2 else 14 :].split(b"\0")
        yield _Item(number, rest[1] if kind == b"mime" else kind, bool(entry[3] & 1))


def _related(bodies: dict[bytes, bytes]) -> set[int]:
    """Returns the items of the main picture, and those that are told of elsewhere.

    That is its tiles and what is made of it, thumbnails, alpha, gain maps and depth maps.
    """
    related = {_main_item(bodies)}
    references = list(_references(bodies.get(b"iref", b"\0\0\0\0")))
    for _ in range(_DEEPEST):
        for kind, source, targets in references:
            if kind == b"dimg" and (source in related or targets & related):
                related |= {source, *targets}
            if kind in (b"auxl", b"thmb") and targets & related:
                related.add(source)
    return related


def _bodies(boxes: list[Box]) -> dict[bytes, bytes]:
    return {box.kind: box.body for box in boxes if box.parent in (b"meta", b"iprp")}


def _main_item(bodies: dict[bytes, bytes]) -> int:
    body = bodies[b"pitm"]
    return struct.unpack_from(">H" if body[0] == 0 else ">L", body, 4)[0]


def _of_picture(boxes: list[Box]) -> list[Box]:
    """Returns the properties of the main picture, its tiles and its alpha; all where none say.

    Those of a gain map beside it, and of the HDR picture that both make, are of no account.
    """
    try:
        bodies = _bodies(boxes)
        main = _main_item(bodies)
        items = {main}
        for kind, source, targets in _references(bodies.get(b"iref", b"\0\0\0\0")):
            if kind == b"dimg" and source == main:
                items |= targets
            if kind == b"auxl" and main in targets:
                items.add(source)
        places = set().union(*(_properties(bodies[b"ipma"]).get(item, set()) for item in items))
    except (KeyError, struct.error, IndexError):
        return boxes
    properties = [box for box in boxes if box.parent == b"ipco"]
    return [box for place, box in enumerate(properties, 1) if place in places]


def _references(body: bytes) -> Iterator[tuple[bytes, int, set[int]]]:
    letter, width = ("H", 2) if body[0] == 0 else ("L", 4)
    for kind, reference, _ in _boxes(memoryview(body)[4:], b"iref"):
        source, count = struct.unpack_from(f">{letter}H", reference)
        yield kind, source, set(struct.unpack_from(f">{count}{letter}", reference, width + 2))


def _properties(body: bytes) -> dict[int, set[int]]:
    """Returns which properties each item has, counted from 1."""
    letter, width = ("H", 2) if body[0] == 0 else ("L", 4)
    wide = body[3] & 1
    (entries,) = struct.unpack_from(">L", body, 4)
    found: dict[int, set[int]] = {}
    at = 8
    for _ in range(entries):
        item, count = struct.unpack_from(f">{letter}B", body, at)
        at += width + 1
        places = struct.unpack_from(f">{count}{'H' if wide else 'B'}", body, at)
        at += count * (2 if wide else 1)
        found[item] = {place & (0x7FFF if wide else 0x7F) for place in places}
    return found


def _bits(kind: bytes, body: bytes) -> int:
    """Returns the bits per sample that a box states, 0 if none."""
    if kind == b"pixi":
        return max(body[5 : 5 + body[4]], default=0)
    if kind == b"av1C":
        return (8, 10, 12)[bool(body[2] & 0x40) + bool(body[2] & 0x40 and body[2] & 0x20)]
    if kind == b"hvcC":
        return 8 + (body[17] & 7)
    return 0
