from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.metadata import lost_metadata
from kerasdenoise.images.orientation import orientation
from kerasdenoise.images.read import read_image
from kerasdenoise.images.tags import EXIF, ORIENTATION, Tag, pack_block
from kerasdenoise.images.write import encode_image, write_image

TURNED = Tag(3, 1, b"\x06\x00")
EXPOSURE = Tag(5, 1, b"\x01\x00\x00\x00\xfa\x00\x00\x00")
WHOLE = pack_block({ORIENTATION: TURNED, EXIF: Tag(4, 1, b"", {0x829A: EXPOSURE})}, "<")
DAMAGED = [b"II*\x00\xff\xff\x00\x00", b"hello world this", b"II", WHOLE[:20]]


def picture(file_format: str, exif: bytes) -> Image:
    return Image(
        np.full((9, 8, 3), 0.5, np.float32), format=file_format, metadata=Metadata(exif=exif)
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("exif", DAMAGED)
@pytest.mark.parametrize("suffix", ["tif", "avif", "jpg", "png", "webp", "bmp"])
def test_damaged_exif_stops_no_picture(suffix: str, exif: bytes, tmp_path: Path) -> None:
    target = tmp_path / f"a.{suffix}"
    write_image(picture("JPEG", exif), target)
    found = read_image(target).metadata.exif
    # Formats that copy the block have it as it was; Pillow saves for AVIF what it can.
    if suffix != "avif":
        assert found == (exif if suffix in ("jpg", "png", "webp") else None)


def test_damaged_exif_is_said_to_be_lost_where_it_must_be_parsed() -> None:
    for exif in DAMAGED:
        image = picture("JPEG", exif)
        assert lost_metadata(image, "TIFF") == ("the damaged EXIF",)
        assert lost_metadata(image, "JPEG") == ()
    assert lost_metadata(picture("JPEG", DAMAGED[1]), "AVIF") == ("the damaged EXIF",)
    assert lost_metadata(picture("JPEG", DAMAGED[1]), "BMP") == ("EXIF",)
    assert lost_metadata(picture("JPEG", WHOLE), "TIFF") == ()
    assert lost_metadata(picture("JPEG", WHOLE), "AVIF") == ()


def test_a_picture_is_turned_if_its_damaged_exif_is_left_out() -> None:
    # The one tag that is whole says how it is turned; there should be two.
    exif = bytearray(pack_block({ORIENTATION: TURNED}, "<"))
    exif[8] = 99
    image = picture("TIFF", bytes(exif))
    assert orientation(image) == 6
    again = read_image(encode_image(image))
    assert (again.height, again.width) == (8, 9)
    assert orientation(again) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("file_format", ["TIFF", "AVIF"])
def test_no_damage_stops_a_picture(file_format: str) -> None:
    rng = random.Random(0)
    for _ in range(40):
        exif = bytearray(WHOLE)
        for _ in range(rng.randint(1, 4)):
            exif[rng.randrange(len(exif))] = rng.randrange(256)
        image = picture(file_format, bytes(exif[: rng.randrange(4, len(exif) + 1)]))
        lost = lost_metadata(image, file_format)
        again = read_image(encode_image(image))
        assert lost in ((), ("the damaged EXIF",))
        if lost:
            assert again.metadata == replace(again.metadata, exif=None)
