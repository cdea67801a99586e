from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import JpegImagePlugin

from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.jpeg import estimate_quality
from kerasdenoise.images.photoshop import iptc_of, resources, resources_of
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image, write_image

Encoded = Callable[..., bytes]


def shown(data: bytes) -> JpegImagePlugin.JpegImageFile:
    picture = PillowImage.open(io.BytesIO(data))
    assert isinstance(picture, JpegImagePlugin.JpegImageFile)
    picture.load()
    return picture


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("sampling", [0, 1, 2])
def test_quality_can_be_kept(encoded: Encoded, mode: str, sampling: int) -> None:
    data = encoded(mode, "JPEG", quality=63, subsampling=sampling)
    before, after = shown(data), shown(encode_image(read_image(data), quality="keep"))
    assert after.quantization == before.quantization
    assert JpegImagePlugin.get_sampling(after) == JpegImagePlugin.get_sampling(before)


@pytest.mark.parametrize("ids", [(0, 2, 2), (1, 0, 0), (2, 2, 2), (0, 1, 2), (1, 0, 1)])
def test_tables_of_any_numbers_are_kept(encoded: Encoded, ids: tuple[int, ...]) -> None:
    data = encoded(
        "RGB", "JPEG", qtables=[[1 + at + 9 * table for at in range(64)] for table in range(3)]
    )
    # The frame says which component is coded by which table.
    start = data.index(b"\xff\xc0") + 10
    frame = bytearray(data[start : start + 9])
    frame[2::3] = bytes(ids)
    data = data[:start] + frame + data[start + 9 :]
    before, after = shown(data), shown(encode_image(read_image(data), quality="keep"))
    assert [before.quantization[table] for table in ids] == [
        after.quantization[table] for *_, table in after.layer
    ]


def test_quality_of_another_format_is_the_usual_one(encoded: Encoded, tmp_path: Path) -> None:
    write_image(read_image(encoded("RGB", "PNG")), tmp_path / "kept.jpg", quality="keep")
    write_image(read_image(encoded("RGB", "PNG")), tmp_path / "usual.jpg")
    assert (tmp_path / "kept.jpg").read_bytes() == (tmp_path / "usual.jpg").read_bytes()


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "AVIF"])
def test_quality_can_be_chosen(make_image: Callable[..., Image], file_format: str) -> None:
    image = make_image((64, 64), format=file_format)
    sizes = [len(encode_image(image, quality=quality)) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 2


@pytest.mark.parametrize(
    ("quality", "expected"), [(1, 1), (49, 49), (50, 50), (75, 75), (93, 93), (100, 100)]
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_quality_of_a_file_is_estimated(
    encoded: Encoded, mode: str, quality: int, expected: int
) -> None:
    picture = shown(encoded(mode, "JPEG", quality=quality))
    assert estimate_quality(picture.quantization[0]) == expected


@pytest.mark.parametrize(("own", "expected"), [(30, 85), (84, 85), (91, 91), (98, 98)])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_file_keeps_its_quality_above_the_least(
    encoded: Encoded, own: int, expected: int, subsampling: str
) -> None:
    given = encoded("RGB", "JPEG", quality=own, subsampling=subsampling)
    found = shown(encode_image(read_image(given)))
    assert estimate_quality(found.quantization[0]) == expected
    assert JpegImagePlugin.get_sampling(found) == ["4:4:4", "4:2:2", "4:2:0"].index(subsampling)
    assert encode_image(read_image(given), quality=95) != encode_image(read_image(given))


def test_comments_stay_as_they_are(encoded: Encoded) -> None:
    image = read_image(encoded("RGB", "JPEG", comment="größe\x00".encode()))
    assert image.metadata.comments == ("größe\x00".encode(),)
    assert shown(encode_image(image)).info["comment"] == "größe\x00".encode()


@pytest.mark.parametrize("length", [5, 70_000])
def test_iptc_stays(length: int) -> None:
    iptc = b"\x1c\x02\x78" + length.to_bytes(2, "big", signed=False) if length < 32768 else b""
    iptc += b"x" * length
    block = resources_of(iptc)
    image = Image(
        np.zeros((3, 4, 3), np.float32), format="JPEG", metadata=Metadata(photoshop=block)
    )
    data = encode_image(image)
    found = read_image(data).metadata.photoshop
    assert found is not None
    assert found == block
    assert iptc_of(found) == iptc
    assert shown(data).info["photoshop"]


def test_resources_end_where_they_are_damaged() -> None:
    block = resources_of(b"abc") + b"8BIM\x04\x04\x00"
    assert list(resources(block)) == [(0x0404, b"abc"), (None, b"8BIM\x04\x04\x00")]
    damaged = b"8BIM\x04\x04\x00\x00\xff\xff\xff\xff"
    assert list(resources(damaged)) == [(None, damaged)]


def test_the_second_part_of_xmp_stays() -> None:
    parts = tuple(b"0" * 32 + bytes((0, 0, 0, 9, 0, 0, 0, at)) + b"abc" for at in (0, 3, 6))
    image = Image(
        np.zeros((3, 4, 3), np.float32),
        format="JPEG",
        metadata=Metadata(xmp=b"<x/>", xmp_extension=parts),
    )
    again = read_image(encode_image(image)).metadata
    assert (again.xmp, again.xmp_extension) == (b"<x/>", parts)


@pytest.mark.parametrize("name", ["MotionPhoto", "MicroVideo"])
def test_a_video_behind_the_picture_is_noted(encoded: Encoded, name: str) -> None:
    data = encoded("RGB", "JPEG", xmp=f'<x GCamera:{name}="1"/>'.encode())
    assert "video" in read_image(data + b"\x00\x00\x00\x18ftypmp42").notes[0]


def test_a_long_run_of_no_markers_takes_no_time(encoded: Encoded) -> None:
    data = encoded("RGB", "JPEG")
    with pytest.raises(Exception, match="truncated"):
        read_image(data[:4] + b"\x00\x02" + bytes(50_000_000))
