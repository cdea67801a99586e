from __future__ import annotations

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.cli.side_by_side import crop, side_by_side
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.orientation import turn


def exif(tag: int) -> bytes:
    block = PillowImage.Exif()
    block[0x0112] = tag
    return block.tobytes().removeprefix(b"Exif\x00\x00")


def picture(tag: int, seed: int = 0) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 5, 3)).astype(np.float32) / 255
    return Image(pixels, metadata=Metadata(exif=exif(tag)))


def test_they_stand_beside_each_other_upright():
    strip = side_by_side([picture(6, 0), picture(6, 1)])
    assert strip.pixels.shape == (5, 6, 3)
    np.testing.assert_array_equal(strip.pixels[:, 3:], turn(picture(6, 1).pixels, 6))
    assert strip.metadata.exif is None


def test_a_part_is_cut_out_as_it_is_stored():
    part = crop(picture(1), range(1, 3), range(2, 4))
    np.testing.assert_array_equal(part.pixels, picture(1).pixels[1:3, 2:4])
