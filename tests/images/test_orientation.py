from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageOps

from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.metadata import MetadataPolicy
from kerasdenoise.images.orientation import crop, orientation, side_by_side, turn, turn_back
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image


def exif(tag: int) -> bytes:
    block = PillowImage.Exif()
    block[0x0112] = tag
    return block.tobytes().removeprefix(b"Exif\x00\x00")


def picture(tag: int) -> Image:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3)).astype(np.float32) / 255
    return Image(pixels, metadata=Metadata(exif=exif(tag)))


@pytest.mark.parametrize("tag", range(1, 9))
def test_pictures_are_turned_as_viewers_turn_them(tag: int):
    image = picture(tag)
    assert orientation(image) == tag
    shown = PillowImage.fromarray(np.rint(image.pixels * 255).astype(np.uint8))
    shown.getexif()[0x0112] = tag
    expected = np.asarray(ImageOps.exif_transpose(shown))
    np.testing.assert_array_equal(np.rint(turn(image.pixels, tag) * 255), expected)
    np.testing.assert_array_equal(turn_back(turn(image.pixels, tag), tag), image.pixels)


@pytest.mark.parametrize("block", [None, b"", b"garbage", exif(99)])
def test_a_block_that_says_nothing_turns_nothing(block: bytes | None):
    assert orientation(Image(np.zeros((2, 2, 3), np.float32), metadata=Metadata(exif=block))) == 1


@pytest.mark.parametrize("policy", ["keep", "none"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_a_format_without_the_tag_gets_the_picture_upright(tag: int, policy: MetadataPolicy):
    alpha = np.random.default_rng(1).integers(0, 256, (3, 5), dtype=np.uint8)
    metadata = Metadata(exif=exif(tag), dpi=(300, 200))
    png = encode_image(Image(picture(tag).pixels, alpha, metadata=metadata))
    shown = ImageOps.exif_transpose(PillowImage.open(io.BytesIO(png)))
    for exact in (False, True):
        image = read_image(png, exact=exact)
        image = replace(image, format="BMP", alpha=alpha, metadata=metadata)
        bmp = encode_image(image, metadata=policy)
        written = PillowImage.open(io.BytesIO(bmp))
        np.testing.assert_array_equal(np.asarray(written), np.asarray(shown))
        expected = (300, 200) if tag < 5 else (200, 300)
        assert written.info["dpi"] == pytest.approx(expected, abs=0.02)


def picture_of_side_by_side(tag: int, seed: int = 0) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 5, 3)).astype(np.float32) / 255
    return Image(pixels, metadata=Metadata(exif=exif(tag)))


def test_they_stand_beside_each_other_upright():
    strip = side_by_side([picture_of_side_by_side(6, 0), picture_of_side_by_side(6, 1)])
    assert strip.pixels.shape == (5, 6, 3)
    np.testing.assert_array_equal(
        strip.pixels[:, 3:], turn(picture_of_side_by_side(6, 1).pixels, 6)
    )
    assert strip.metadata.exif is None


def test_a_part_is_cut_out_as_it_is_stored():
    part = crop(picture_of_side_by_side(1), range(1, 3), range(2, 4))
    np.testing.assert_array_equal(part.pixels, picture_of_side_by_side(1).pixels[1:3, 2:4])
