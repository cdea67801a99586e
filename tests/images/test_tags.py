from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from kerasdenoise.images.tags import (
    EXIF,
    GPS,
    ORIENTATION,
    Tag,
    byte_order,
    first_directory,
    pack_block,
    read_directory,
)


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
