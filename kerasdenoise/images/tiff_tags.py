"""The tags of TIFF files: which are metadata, and how they get into a new file."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from kerasdenoise.images.image import Metadata, Resolution
from kerasdenoise.images.photoshop import iptc_of, resources_of
from kerasdenoise.images.tags import (
    ORIENTATION,
    Block,
    ByteOrder,
    Directory,
    Tag,
    Walk,
    byte_order,
    first_directory,
    pack_block,
    pack_directory,
    read_directory,
)

# Tags by their numbers.
SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_ACROSS, _DOWN, _UNIT, _PREDICTOR, _SUB_DIRECTORIES = 282, 283, 296, 317, 330
_XMP, _IPTC, _PHOTOSHOP, _ICC, _DNG_VERSION = 700, 33723, 34377, 34675, 50706
LAYERS = 37724

# How pixels are laid out, which is the writer's affair, and blocks with a place of their own.
_STRUCTURE = {
    *(SUBFILE, 255, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, 263, 264, 265, 266),
    *(273, 277, 278, 279, 280, 281, _ACROSS, _DOWN, 284, 288, 289, 290, 291, 292, 293, _UNIT, 297),
    *(_PREDICTOR, 320, 321, 322, 323, 324, 325, _SUB_DIRECTORIES, 332, 333, 334, 336, 338, 339),
    *(340, 341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
    *(_XMP, _IPTC, _PHOTOSHOP, _ICC, LAYERS),
}
# What describes raw data: the mosaic of colors, and all tags of DNG.
_RAW_TAGS = {33421, 33422, *range(_DNG_VERSION, 53000)}
_RAW_COLORS = (32803, 34892)

# How many of a unit, which goes by its number, an inch has.
_UNITS = {2: 1.0, 3: 2.54}
# The last of the types of values that files of less than 4 GB have.
_LAST_CLASSIC = 13
# A file of more directories than this holds no photo.
_MOST_DIRECTORIES = 1000


def is_camera_raw(data: bytes) -> bool:
    """Returns whether a TIFF file holds a camera's raw data, as most raw files are TIFF."""
    if data[8:10] == b"CR":
        return True
    order = byte_order(data)
    for tags in directories(data, below=True):
        if _DNG_VERSION in tags or first_number(tags, _PHOTOMETRIC, order) in _RAW_COLORS:
            return True
    return False


def exif_of_tags(tags: Directory, order: ByteOrder, *, upright: bool = False) -> bytes | None:
    """Makes an EXIF block of the tags of a page, but for those of its layout.

    Args:
        tags: The page's directory.
        order: The file's order of bytes.
        upright: Whether the orientation tag and what describes raw data are left out.

    Returns:
        The block, or None where no tags are left.
    """
    kept = {
        number: tag
        for number, tag in tags.items()
        if number not in _STRUCTURE
        and not (upright and (number == ORIENTATION or number in _RAW_TAGS))
    }
    classic = _classic(kept)
    return pack_block(classic, order) if classic else None


def _classic(tags: Directory) -> Directory:
    """Leaves out values of BigTIFF's types, which EXIF has not; what leads to directories stays."""
    return {
        number: replace(tag, directory=tag.directory and _classic(tag.directory))
        for number, tag in tags.items()
        if tag.kind <= _LAST_CLASSIC or tag.directory is not None
    }


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
    while at and at not in seen and len(seen) < _MOST_DIRECTORIES:
        seen.add(at)
        walk.start_page()
        tags = read_directory(data, at, big=big, whole=whole, walk=walk)
        yield tags
        inner = tags.get(_SUB_DIRECTORIES)
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


def metadata_of_tags(tags: Directory, order: ByteOrder) -> Metadata:
    """Returns what travels untouched of a page's directory.

    Args:
        tags: The page's directory.
        order: The file's order of bytes.
    """

    def block(number: int) -> bytes | None:
        return tags[number].value if number in tags else None

    dpi, density = _resolution(tags, order)
    photoshop = block(_PHOTOSHOP)
    iptc = block(_IPTC)
    if iptc and not iptc_of(photoshop or b""):
        photoshop = (photoshop or b"") + resources_of(iptc)
    return Metadata(
        icc=block(_ICC),
        exif=exif_of_tags(tags, order),
        xmp=block(_XMP),
        photoshop=photoshop,
        density=density,
        dpi=dpi,
    )


def _resolution(tags: Directory, order: str) -> tuple[Resolution, Resolution]:
    """Returns dots per inch, and the density where there is no unit."""
    values = [tags[number].numbers(order) for number in (_ACROSS, _DOWN) if number in tags]
    if [len(value) for value in values] != [2, 2]:
        return None, None
    if any(part == 0 for value in values for part in value):
        return None, None
    across, down = (value[0] / value[1] for value in values)
    unit = _UNITS.get(first_number(tags, _UNIT, order, 2))
    if unit is not None:
        return (across * unit, down * unit), None
    return None, (across, down) if (across, down) != (1, 1) else None


def _tags_of(metadata: Metadata, order: str) -> Directory:
    """Returns the tags that a file gets beside those of its layout."""
    tags: Directory = {}
    if metadata.exif:
        tags = read_directory(metadata.exif, first_directory(metadata.exif))
        # The resolution that a file states outside EXIF goes before.
        stated = metadata.dpi or metadata.density
        allowed = _STRUCTURE if stated else _STRUCTURE - {_ACROSS, _DOWN, _UNIT}
        tags = {number: tag for number, tag in tags.items() if number not in allowed}
    blocks = {
        _XMP: (1, metadata.xmp),
        _PHOTOSHOP: (7, metadata.photoshop),
        _IPTC: (7, iptc_of(metadata.photoshop or b"")),
        _ICC: (7, metadata.icc),
    }
    for number, (kind, value) in blocks.items():
        if value:
            tags[number] = Tag(kind, len(value), value)
    resolution = metadata.dpi or metadata.density
    if resolution:
        for number, value in zip((_ACROSS, _DOWN), resolution, strict=True):
            exact = Fraction(value).limit_denominator(2**32 // (int(value) + 2))
            parts = struct.pack(f"{order}LL", exact.numerator, exact.denominator)
            tags[number] = Tag(5, 1, parts)
        tags[_UNIT] = Tag(3, 1, struct.pack(f"{order}H", 2 if metadata.dpi else 1))
    return tags


def add_tags(file: io.BytesIO, metadata: Metadata, order: ByteOrder) -> None:
    """Adds metadata to a file of one page, whose directory moves to its end.

    Args:
        file: The file, which is changed where it stands, as it may be large.
        metadata: What it gets; EXIF in its own order of bytes.
        order: The file's order of bytes.

    Raises:
        ValueError: The file would be too long for the places that its tags can state.
    """
    more = _tags_of(metadata, order)
    data = file.getvalue()
    size = len(data)
    own = read_directory(data, first_directory(data))
    del data  # which, while it is held, is copied when the file changes
    # Its resolution is made up where none is known.
    tags = {number: tag for number, tag in own.items() if number not in (_ACROSS, _DOWN, _UNIT)}
    at = size + size % 2
    if at + 2**20 + sum(len(tag.value) for tag in more.values()) > 2**32:
        raise ValueError("it would be longer than 4 GB")
    file.seek(4)
    file.write(struct.pack(f"{order}L", at))
    file.seek(size)
    file.write(bytes(at - size) + pack_directory(tags | more, order, at))
