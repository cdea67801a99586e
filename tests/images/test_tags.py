from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from kerasdenoise.images.read import read_image
from kerasdenoise.images.tags import (
    EXIF,
    GPS,
    ORIENTATION,
    Tag,
    byte_order,
    directories,
    first_directory,
    pack_block,
    read_directory,
)
from kerasdenoise.images.write import encode_image


@pytest.mark.parametrize("order", ["<", ">"])
def test_pillow_reads_what_is_packed(order: str) -> None:
    tags = {
        0x010F: Tag(2, 7, b"Maker!\x00"),
        ORIENTATION: Tag(3, 1, struct.pack(f"{order}H", 7)),
        EXIF: Tag(4, 1, b"", {0x829A: Tag(5, 1, struct.pack(f"{order}LL", 1, 60))}),
    }
    block = PillowImage.Exif()
    block.load(pack_block(tags, order))
    assert (block[0x010F], block[ORIENTATION]) == ("Maker!", 7)
    assert block.get_ifd(EXIF)[0x829A] == pytest.approx(1 / 60)


@given(
    st.dictionaries(st.integers(1, 60000), st.binary(min_size=1, max_size=20), max_size=9),
    st.sampled_from("<>"),
)
def test_what_is_packed_is_read_again(values: dict[int, bytes], order: str) -> None:
    values = {
        number: value for number, value in values.items() if number not in (EXIF, GPS, 0xA005)
    }
    block = pack_block({n: Tag(7, len(value), value) for n, value in values.items()}, order)
    tags = read_directory(block, first_directory(block))
    assert {number: tag.value for number, tag in tags.items()} == values
    for tag in tags.values():
        assert block[tag.place : tag.place + len(tag.value)] == tag.value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_end_early(noise: bytes) -> None:
    block = b"MM\x00*\x00\x00\x00\x08" + noise
    try:
        read_directory(block, 8)
    except struct.error:
        assert len(noise) < 2 + 12 * 2000


def test_a_circle_of_directories_ends() -> None:
    block = bytearray(pack_block({EXIF: Tag(4, 1, b"", {GPS: Tag(4, 1, b"", {})})}, "<"))
    inner = struct.unpack_from("<L", block, 8 + 2 + 8)[0]
    # The place's directory is the one that points to it.
    struct.pack_into("<L", block, inner + 2 + 8, inner)
    assert EXIF in read_directory(bytes(block), 8)


def test_what_is_no_block_is_an_error() -> None:
    with pytest.raises(ValueError, match="no block"):
        byte_order(b"XX*\x00")


def doubled(depth: int) -> bytes:
    """Directories of which each points twice at the next: by EXIF's pointer and by GPS's."""
    block = bytearray(b"II*\x00\x08\x00\x00\x00")
    for number in range(depth):
        following = 8 + (number + 1) * 30
        entries = [(tag, 4, 1, following) for tag in (EXIF, GPS)]
        block += struct.pack("<H", 2) + b"".join(struct.pack("<HHLL", *each) for each in entries)
        block += bytes(4)
    return bytes(block + struct.pack("<HHHLHHL", 1, ORIENTATION, 3, 1, 1, 0, 0))


def test_directories_that_point_twice_at_the_next_take_no_time() -> None:
    tags = read_directory(doubled(40), 8)  # 2 ** 40 of them, if none were left out
    depth = 0
    while EXIF in tags:
        assert GPS not in tags
        tags, depth = tags[EXIF].directory or {}, depth + 1
    assert depth == 8


@pytest.mark.parametrize("depth", [40, 2000])
def test_such_exif_in_any_photo_is_no_bomb(depth: int, encoded: Callable[..., bytes]) -> None:
    block = doubled(depth)
    for file_format in ("JPEG", "PNG", "WEBP"):
        data = encoded("RGB", file_format, exif=block)
        image = read_image(data)
        for policy in ("keep", "no-gps", "none"):
            encode_image(image, metadata=policy)
            encode_image(replace(image, format="TIFF"), metadata=policy)


def test_pages_may_share_a_directory() -> None:
    below = struct.pack("<HHHLHHL", 1, 0x8827, 3, 1, 400, 0, 0)
    pages = [struct.pack("<HHHLLL", 1, EXIF, 4, 1, 8, 0)] * 2
    data = bytearray(b"II*\x00\x1a\x00\x00\x00" + below + b"".join(pages))
    struct.pack_into("<L", data, 0x1A + 14, 0x1A + 18)
    found = list(directories(bytes(data)))
    assert [tags[EXIF].directory[0x8827].numbers("<") for tags in found] == [[400], [400]]


def test_tags_that_share_one_value_are_no_bomb() -> None:
    size, count = 100_000, 1000
    entries = b"".join(struct.pack("<HHLL", 700 + n, 7, size, 16) for n in range(count))
    block = b"II*\x00" + struct.pack("<L", 16 + size) + bytes(8 + size)
    block += struct.pack("<H", count) + entries + bytes(4)
    with pytest.raises(ValueError, match="share"):
        read_directory(block, 16 + size)
