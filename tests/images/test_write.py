from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import JpegImagePlugin

from kerasdenoise.errors import OutputError
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image, write_image

MakeImage = Callable[..., Image]


def decoded(data: bytes) -> PillowImage.Image:
    picture = PillowImage.open(io.BytesIO(data))
    picture.load()
    return picture


def gray_row(*values: float) -> Image:
    return Image(np.array(values, np.float32).reshape(1, -1, 1))


def test_values_are_clipped_and_rounded() -> None:
    values = [-3, -0.001, 0, 0.49 / 255, 0.51 / 255, 100.4 / 255, 254.6 / 255, 1, 1.001, 7]
    written = np.asarray(decoded(encode_image(gray_row(*values))))
    assert written.tolist() == [[0, 0, 0, 0, 1, 100, 255, 255, 255, 255]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_what_is_no_number_is_an_error(
    make_image: MakeImage, tmp_path: Path, file_format: str, value: float
) -> None:
    image = make_image((600, 700), format=file_format)
    image.pixels[599, 699, 2] = value
    with pytest.raises(OutputError, match="not numbers"):
        write_image(image, tmp_path / "a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("size", "channels"), [((700, 800), 3), ((3, 300_000), 1)])
def test_bands_join_without_a_seam(
    make_image: MakeImage, size: tuple[int, int], channels: int
) -> None:
    image = make_image(size, channels=channels, alpha=True)
    again = read_image(encode_image(image))
    np.testing.assert_array_equal(again.pixels, image.pixels)
    np.testing.assert_array_equal(again.alpha, image.alpha)


def test_jpeg_is_quality_95_without_subsampling(make_image: MakeImage) -> None:
    picture = decoded(encode_image(make_image((40, 40), format="JPEG")))
    assert isinstance(picture, JpegImagePlugin.JpegImageFile)
    assert JpegImagePlugin.get_sampling(picture) == 0
    stream = io.BytesIO()
    PillowImage.new("RGB", (40, 40)).save(stream, "JPEG", quality=95)
    reference = decoded(stream.getvalue())
    assert isinstance(reference, JpegImagePlugin.JpegImageFile)
    assert picture.quantization == reference.quantization


@pytest.mark.parametrize(
    ("target", "file_format"),
    [
        ("a.jpg", "JPEG"),
        ("a.JPEG", "JPEG"),
        ("a.png", "PNG"),
        ("a.webp", "WEBP"),
        ("a.dat", "WEBP"),
        ("a", "WEBP"),
    ],
)
def test_the_suffix_decides_the_format(
    make_image: MakeImage, tmp_path: Path, target: str, file_format: str
) -> None:
    write_image(make_image(format="WEBP"), tmp_path / target)
    assert decoded((tmp_path / target).read_bytes()).format == file_format


@pytest.mark.parametrize(
    ("image", "fields", "text"),
    [
        ({"alpha": True}, {"format": "JPEG"}, "JPEG .*transparency"),
        ({"size": (1, 65501)}, {"format": "JPEG"}, "JPEG.* 65500"),
        ({"size": (16384, 1)}, {"format": "WEBP"}, "WebP.* 16383"),
        ({}, {"bit_depth": 16, "format": "JPEG"}, "JPEG.* 16 bits"),
        ({}, {"bit_depth": 16, "format": "RAW"}, "raw.* written"),
        (
            {"channels": 1},
            {"format": "WEBP", "metadata": Metadata(icc=b"\0" * 16 + b"GRAY" + b"\0" * 108)},
            "WebP .*gray",
        ),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    make_image: MakeImage, image: dict[str, Any], fields: dict[str, Any], text: str
) -> None:
    with pytest.raises(OutputError, match=text) as caught:
        encode_image(make_image(**image, **fields))
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_rounding_takes_no_second_float_copy() -> None:
    image = Image(np.full((1500, 2000, 3), 0.5, np.float32), format="JPEG")
    tracemalloc.start()
    encode_image(image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.9 * image.pixels.nbytes


def test_missing_folders_are_made(make_image: MakeImage, tmp_path: Path) -> None:
    target = tmp_path / "x" / "y" / "a.png"
    write_image(make_image(), target)
    assert [path.name for path in target.parent.iterdir()] == ["a.png"]


def test_a_picture_that_cannot_be_coded_makes_no_folder(
    make_image: MakeImage, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="transparency"):
        write_image(make_image(alpha=True), tmp_path / "new" / "a.jpg")
    assert not list(tmp_path.iterdir())
