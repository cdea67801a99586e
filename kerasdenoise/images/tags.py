"""The directories of tags that EXIF blocks, TIFF files and most camera raw are made of."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

ByteOrder = Literal["<", ">"]

EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
ORIENTATION = 0x0112
SUB_DIRECTORIES, DNG_VERSION = 330, 50706
_PHOTOMETRIC, _RAW_COLORS = 262, (32803, 34892)
_DIRECTORIES = (EXIF, GPS, INTEROPERABILITY)
# Bytes of a value of each type.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}
# More entries than this are no directory, but bytes that were taken for one.
_MOST_ENTRIES = 2000
# Entries of all directories of a block or file; those of photos have some hundred.
_MOST_ENTRIES_IN_ALL = 100_000
# Directories lead to others in so many steps; EXIF's own take two.
_DEEPEST = 8
# A file of more pages than this holds no photo.
_MOST_PAGES = 1000
# Values may be as long together as their block. Some writers let short ones overlap.
_SHARED = 2**16


@dataclass(frozen=True)
class Tag:
    """One entry of a directory.

    Attributes:
        kind: TIFF's number of the type.
        count: How many values there are.
        value: Their bytes, in the order of the block they come from.
        directory: The directory that a pointer leads to, in place of a value.
        place: Where the value stands in the block.
    """

    kind: int
    count: int
    value: bytes
    directory: Directory | None = None
    place: int = 0

    def numbers(self, order: str) -> list[int]:
        """Returns the values as integers; of a fraction, both parts."""
        letter = {1: "B", 3: "H", 4: "L", 5: "L", 13: "L", 16: "Q", 18: "Q"}.get(self.kind)
        if letter is None:
            return []
        count = len(self.value) // struct.calcsize(order + letter)
        return list(struct.unpack(f"{order}{count}{letter}", self.value))


Directory = dict[int, Tag]

Block = bytes | memoryview | mmap.mmap


def byte_order(block: Block) -> ByteOrder:
    """Returns `<` or `>`, as a block's first two bytes say.

    Raises:
        ValueError: It does not begin as a block of tags does.
    """
    orders: dict[bytes, ByteOrder] = {b"II": "<", b"MM": ">"}
    order = orders.get(bytes(block[:2]))
    if order is None:
        raise ValueError("no block of tags")
    return order


def first_directory(block: Block) -> int:
    """Returns where the first directory of a classic block or file stands."""
    return struct.unpack_from(f"{byte_order(block)}L", block, 4)[0]


class Walk:
    """What has been read of a block, so that no place is read twice, and no bomb is followed.

    Directories that point twice at the next one would otherwise take time that doubles with each,
    and tags that share a value as much memory as each had its own.

    Args:
        block: An EXIF block or a TIFF file, which the pages of a file share.
    """

    def __init__(self, block: Block) -> None:
        self._entries = _MOST_ENTRIES_IN_ALL
        self._bytes = len(block) + _SHARED
        self._seen: set[int] = set()

    def start_page(self) -> None:
        """Lets the next page of a file have directories that the one before it had."""
        self._seen.clear()

    def has_read(self, at: int) -> bool:
        """Whether the directory at a place was read."""
        return at in self._seen

    def enter(self, at: int, entries: int) -> None:
        """Counts a directory of so many entries.

        Raises:
            ValueError: All directories together have more entries than any photo's.
        """
        self._seen.add(at)
        self._entries -= entries
        if self._entries < 0:
            raise ValueError("it has more tags than any photo")

    def take(self, size: int) -> None:
        """Counts the bytes of a value.

        Raises:
            ValueError: All values together are longer than the block.
        """
        self._bytes -= size
        if self._bytes < 0:
            raise ValueError("its tags share their values")


def read_directory(
    block: Block,
    at: int,
    *,
    big: bool = False,
    whole: bool = False,
    walk: Walk | None = None,
    level: int = 0,
) -> Directory:
    """Reads a directory and those it points to; leaves out entries that cannot be followed.

    A directory to which several entries point is that of the first.

    Args:
        block: All of an EXIF block or a TIFF file.
        at: Where the directory stands.
        big: Whether the file is a BigTIFF.
        whole: Whether a value or a directory beyond the end is an error.
        walk: What was read of the block before.
        level: How many directories lead to this one.

    Raises:
        struct.error: The block ends before the directory does, or before what it leads to.
        ValueError: It is no block of tags, or leads to more than it holds.
    """
    order = byte_order(block)
    walk = walk or Walk(block)
    head, entry, room = ("Q", "HHQ", 8) if big else ("H", "HHL", 4)
    (count,) = struct.unpack_from(order + head, block, at)
    count = min(count, _MOST_ENTRIES)
    walk.enter(at, count)
    at += struct.calcsize(head)
    tags: Directory = {}
    for _ in range(count):
        tag, kind, length = struct.unpack_from(order + entry, block, at)
        place = at + (12 if big else 8)
        at = place + room
        size = _SIZES.get(kind, 0) * length
        if size > room:
            (place,) = struct.unpack_from(order + ("Q" if big else "L"), block, place)
        if whole and place + size > len(block):
            raise struct.error("a value lies beyond the end")
        if not size or place + size > len(block):
            continue
        walk.take(size)
        value = bytes(block[place : place + size])
        below = None
        if tag in _DIRECTORIES:
            (start,) = [*Tag(kind, length, value).numbers(order), 0][:1]
            if not start or walk.has_read(start) or level == _DEEPEST:
                continue
            try:
                below = read_directory(
                    block, start, big=big, whole=whole, walk=walk, level=level + 1
                )
            except struct.error:
                if whole:
                    raise
                continue
        tags[tag] = Tag(kind, length, value, below, place)
    return tags


def pack_directory(tags: Directory, order: str, at: int) -> bytes:
    """Lays out a directory, its values and the directories below it.

    Args:
        tags: What it holds; values in the byte order `order`.
        order: `<` or `>`.
        at: Where it will stand in its block, an even number.
    """
    heap = bytearray()
    entries = []
    start = at + 2 + 12 * len(tags) + 4
    for tag, entry in sorted(tags.items()):
        kind, count, value = entry.kind, entry.count, entry.value
        if entry.directory is not None:
            kind, count, value = 4, 1, struct.pack(f"{order}L", start + len(heap))
            heap += pack_directory(entry.directory, order, start + len(heap))
        elif len(value) > 4:
            place = start + len(heap)
            heap += value + b"\x00" * (len(value) % 2)
            value = struct.pack(f"{order}L", place)
        entries.append(struct.pack(f"{order}HHL", tag, kind, count) + value.ljust(4, b"\x00"))
    return b"".join(
        [struct.pack(f"{order}H", len(tags)), *entries, b"\x00\x00\x00\x00", bytes(heap)]
    )


def set_upright(block: bytes) -> bytes:
    """Returns an EXIF block whose orientation tag, if it has one, asks for no turn."""
    order = byte_order(block)
    tag = read_directory(block, first_directory(block)).get(ORIENTATION)
    if tag is None or tag.kind != 3:
        return block
    upright = struct.pack(f"{order}H", 1)
    return block[: tag.place] + upright + block[tag.place + len(upright) :]


def pack_block(tags: Directory, order: str) -> bytes:
    """Makes an EXIF block of a directory whose values are in the byte order `order`."""
    header = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HL", 42, 8)
    return header + pack_directory(tags, order, 8)


def directories(data: Block, *, below: bool = False, whole: bool = False) -> Iterator[Directory]:
    """Yields the directories of a file, one a page.

    Args:
        data: A TIFF file's content.
        below: Whether directories below them, which hold raw data and previews, come too.
        whole: Whether it is an error that a value lies beyond the end.

    Raises:
        ValueError: It is no TIFF file.
        struct.error: The file ends before a directory does.
    """
    order = byte_order(data)
    big = data[2:4] in (b"+\x00", b"\x00+")
    pointer, head, entry = ("Q", "Q", 20) if big else ("L", "H", 12)
    walk = Walk(data)
    seen: set[int] = set()
    at = struct.unpack_from(f"{order}Q", data, 8)[0] if big else first_directory(data)
    while at and at not in seen and len(seen) < _MOST_PAGES:
        seen.add(at)
        walk.start_page()
        tags = read_directory(data, at, big=big, whole=whole, walk=walk)
        yield tags
        inner = tags.get(SUB_DIRECTORIES)
        for place in inner.numbers(order)[:8] if below and inner else ():
            yield read_directory(data, place, big=big, walk=walk)
        (count,) = struct.unpack_from(order + head, data, at)
        (at,) = struct.unpack_from(
            order + pointer, data, at + struct.calcsize(head) + entry * count
        )


def first_number(tags: Directory, number: int, order: str, default: int = 0) -> int:
    """Returns the first value of a tag as an integer, or the default where it has none."""
    tag = tags.get(number)
    return [*(tag.numbers(order) if tag else []), default][0]


def is_camera_raw(data: bytes) -> bool:
    """Returns whether a TIFF file holds a camera's raw data, as most raw files are TIFF."""
    if data[8:10] == b"CR":
        return True
    order = byte_order(data)
    for tags in directories(data, below=True):
        if DNG_VERSION in tags or first_number(tags, _PHOTOMETRIC, order) in _RAW_COLORS:
            return True
    return False
