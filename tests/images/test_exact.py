"""Pictures that stay integers from file to file."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tifffile

from kerasdenoise.images import png
from kerasdenoise.images.decoding import take_array
from kerasdenoise.images.image import Image
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image
from kerasdenoise.pixels import to_pixels

Encoded = Callable[..., bytes]
MakeImage = Callable[..., Image]

FILES = [
    ("L", "JPEG", {}),
    ("RGB", "JPEG", {}),
    ("1", "PNG", {}),
    ("L", "PNG", {}),
    ("LA", "PNG", {}),
    ("RGB", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("P", "PNG", {}),
    ("P+tRNS", "PNG", {}),
    ("RGB", "PNG", {"transparency": (40, 20, 60)}),
    ("RGB", "WEBP", {}),
    ("RGBA", "WEBP", {"lossless": True}),
    ("L", "AVIF", {}),
    ("RGBA", "AVIF", {}),
    ("L", "BMP", {}),
    ("RGB", "BMP", {}),
    ("LA", "TIFF", {}),
    ("RGB", "TIFF", {}),
]


def assert_exact(data: bytes, bits: int) -> None:
    """Whether integers come in, and what goes out is what goes out of float32."""
    image, exact = read_image(data), read_image(data, exact=True)
    assert image.pixels.dtype == np.float32
    assert exact.pixels.dtype == f"uint{bits}"
    assert exact.bit_depth == bits
    assert exact.pixels.flags.c_contiguous
    np.testing.assert_array_equal(to_pixels(exact.pixels), image.pixels)
    np.testing.assert_array_equal(exact.alpha, image.alpha)
    assert encode_image(exact) == encode_image(image)


@pytest.mark.parametrize(("mode", "file_format", "options"), FILES)
def test_eight_bits(encoded: Encoded, mode: str, file_format: str, options: dict[str, Any]):
    assert_exact(encoded(mode, file_format, **options), 8)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_sixteen_bits(file_format: str, channels: int, alpha: bool):
    rng = np.random.default_rng(0)
    pixels = rng.random((9, 11, channels), np.float32)
    mask = rng.integers(0, 2**16, (9, 11), np.uint16) if alpha else None
    assert_exact(encode_image(Image(pixels, mask, bit_depth=16, format=file_format)), 16)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_another_order_of_bytes(options: dict[str, Any]):
    values = np.arange(20 * 30 * 3, dtype=">u2").reshape(20, 30, 3)
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, photometric="rgb", byteorder=">", **options)
    assert_exact(stream.getvalue(), 16)
    assert read_image(stream.getvalue(), exact=True).pixels.dtype.isnative


def test_colors_that_alpha_was_taken_out_of_are_no_integers():
    samples = np.random.default_rng(0).integers(0, 256, (9, 11, 4)).astype(np.uint8)
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, photometric="rgb", extrasamples=["assocalpha"])
    image = read_image(stream.getvalue(), exact=True)
    assert image.pixels.dtype == np.float32
    # And where integers are given such a coding, colors are multiplied all the same.
    exact = replace(image, pixels=np.full((9, 11, 3), 200, np.uint8))
    image = exact.with_pixels(to_pixels(exact.pixels))
    assert encode_image(exact) == encode_image(image)


def test_floating_point_stays():
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.full((4, 5, 3), 1.5, np.float32), photometric="rgb")
    assert (read_image(stream.getvalue(), exact=True).pixels == 1.5).all()


@pytest.mark.parametrize("file_format", ["WEBP", "BMP", "AVIF"])
def test_gray_becomes_rgb_where_it_must(make_image: MakeImage, file_format: str):
    image = make_image(channels=1, alpha=True, format=file_format)
    exact = image.with_pixels(np.rint(image.pixels * 255).astype(np.uint8))
    assert encode_image(exact) == encode_image(image)


@pytest.mark.parametrize("bit_depth", [16, 32])
def test_another_depth_is_that_of_float32(make_image: MakeImage, bit_depth: int):
    image = make_image(format="TIFF")
    exact = image.with_pixels(np.rint(image.pixels * 255).astype(np.uint8))
    assert encode_image(exact, bit_depth=bit_depth) == encode_image(image, bit_depth=bit_depth)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_large_png_files_pass_pillow_by(
    encoded: Encoded, monkeypatch: pytest.MonkeyPatch, mode: str
):
    data = encoded(mode, "PNG")
    expected = read_image(data)
    monkeypatch.setattr(png, "_MANY_PIXELS", 0)
    assert_exact(data, 8)
    image = read_image(data)
    np.testing.assert_array_equal(image.pixels, expected.pixels)
    np.testing.assert_array_equal(image.alpha, expected.alpha)
    again = read_image(encode_image(image))
    np.testing.assert_array_equal(again.pixels, expected.pixels)
    np.testing.assert_array_equal(again.alpha, expected.alpha)


def test_pixels_that_end_later_than_they_should_are_read_in_silence(
    make_png: Encoded, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(png, "_MANY_PIXELS", 0)
    rows = [bytes(range(row, row + 6)) for row in range(3)]
    exact = read_image(make_png((3, 2), 8, 2, rows), exact=True).pixels
    more = read_image(make_png((3, 2), 8, 2, [*rows, bytes(6)]), exact=True).pixels
    np.testing.assert_array_equal(more, exact)
    assert capfd.readouterr().err == ""


def test_an_array_that_is_right_is_not_copied():
    decoded = np.zeros((4, 5, 3), np.uint8)
    pixels, alpha = take_array(decoded, channels=3, has_alpha=False, exact=True)
    assert np.shares_memory(pixels, decoded)
    assert alpha is None


# A buffer that grows has an eighth to spare; tifffile copies what it does not compress.
@pytest.mark.parametrize(("file_format", "files"), [("JPEG", 1.2), ("TIFF", 2)])
def test_a_large_picture_is_read_and_coded_in_little_memory(file_format: str, files: float):
    pixels = np.full((3000, 3000, 3), 128, np.uint8)
    image = Image(pixels, format=file_format, coding={"compression": None})
    tracemalloc.start()
    data = encode_image(image)
    _, peak = tracemalloc.get_traced_memory()
    assert peak < files * len(data) + 2_000_000
    tracemalloc.reset_peak()
    held, _ = tracemalloc.get_traced_memory()
    again = read_image(data, exact=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - held < again.pixels.nbytes + 4_000_000
