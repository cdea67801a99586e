"""What cannot be kept is refused with a reason and with what to do about it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError
from kerasdenoise.images.read import read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
PICTURE = PillowImage.fromarray(PIXELS)
FIRST = "--first-only"


def saved(name: str, picture: PillowImage.Image = PICTURE, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, name, **options)
    return stream.getvalue()


def several(name: str) -> bytes:
    return saved(name, save_all=True, append_images=[PICTURE.rotate(180)])


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **{"photometric": "rgb", **options})
    return stream.getvalue()


def heic(bits: int) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    deep = (PIXELS.astype(np.uint16) * 257).tobytes()
    file = pillow_heif.from_bytes("RGB;16", PICTURE.size, deep)
    stream = io.BytesIO()
    before = pillow_heif.options.SAVE_HDR_TO_12_BIT
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    try:
        file.save(stream)
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = before
    return stream.getvalue()


def avif(bits: int) -> bytes:
    deep = PIXELS.astype(np.uint16) << (bits - 8)
    return bytes(imagecodecs.avif_encode(deep, bitspersample=bits))


@pytest.mark.parametrize(
    ("make", "cause", "remedy"),
    [
        (lambda: saved("JPEG", PICTURE.convert("CMYK")), "is a CMYK JPEG", "convert it to RGB"),
        (lambda: saved("TIFF", PICTURE.convert("CMYK")), "has CMYK colors", "convert it to RGB"),
        (lambda: saved("TIFF", PICTURE.convert("LAB")), "has Lab colors", "convert it to RGB"),
        (lambda: several("TIFF"), "holds 2 pages", FIRST),
        (lambda: several("PNG"), "is an animation", FIRST),
        (lambda: several("WEBP"), "is an animation", FIRST),
        (lambda: several("AVIF"), "is an animation", FIRST),
        (lambda: avif(10), "has 10 bits", "convert it to 8 bits"),
        (lambda: avif(12), "has 12 bits", "convert it to 8 bits"),
        (lambda: heic(10), "has 10 bits", "convert it to 8 bits"),
        (lambda: heic(12), "has 12 bits", "convert it to 8 bits"),
        (lambda: saved("TIFF", compression="jpeg"), "is compressed by JPEG", "LZW or ZIP"),
        (lambda: tiff(PIXELS.astype("u8")), "samples of 64 bits", "convert it to 8 or 16 bits"),
        (
            lambda: tiff(PIXELS[..., 0].astype("u2"), photometric="minisblack", bitspersample=12),
            "samples of 12 bits",
            "convert it to 8 or 16 bits",
        ),
        (lambda: saved("GIF"), "is a GIF", "convert it first"),
    ],
)
def test_the_reason_and_the_remedy(make: Callable[[], bytes], cause: str, remedy: str):
    data = make()
    with pytest.raises(InputError) as refused:
        read_image(data, "photo")
    assert cause in refused.value.cause
    assert remedy in refused.value.remedy
    assert "\n" not in str(refused.value)
    if remedy != FIRST:
        return
    image = read_image(data, first_only=True)
    assert cause in image.notes[0]
    assert image.notes[0].endswith(" would be left: the rest is dropped")
    if image.lossless:
        np.testing.assert_array_equal(np.rint(image.pixels * 255), PIXELS)
