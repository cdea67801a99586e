"""What the table of formats promises: each kind of picture and of metadata, there and back."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from PIL import ImageCms

from kerasdenoise.images.formats import FORMATS, Format
from kerasdenoise.images.image import Image, Metadata, sample_type
from kerasdenoise.images.metadata import lost_metadata
from kerasdenoise.images.photoshop import resources_of
from kerasdenoise.images.read import read_image
from kerasdenoise.images.tags import ORIENTATION, Tag, pack_block
from kerasdenoise.images.write import encode_image

WRITABLE = {
    name: row
    for name, row in FORMATS.items()
    if row.written_as is None
    and (row.extra is None or importlib.util.find_spec("pillow_heif") is not None)
}
LOSSLESS = [name for name, row in WRITABLE.items() if row.lossless is not None]
METADATA = Metadata(
    icc=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    exif=pack_block({0x010F: Tag(2, 6, b"Maker\x00"), ORIENTATION: Tag(3, 1, b"\x00\x01")}, ">"),
    xmp=b"<x:xmpmeta/>",
    xmp_extension=(b"0" * 32 + bytes(8) + b"more",),
    photoshop=resources_of(b"\x1c\x02\x05\x00\x05title"),
    comments=(b"first", b"second"),
    color=((b"gAMA", b"\x00\x00\xb1\x8f"), (b"cICP", b"\x01\x0d\x00\x01")),
    texts=(
        (b"tEXt", b"Author\x00me"),
        (b"iTXt", b"Title\x00\x00\x00en\x00\x00Gr\xc3\xb6\xc3\x9fe"),
    ),
    segments=((0xE1, b"FLIR\x00raw"), (0xED, b"Adobe_CM\x00\x02"), (0xE5, b"vendor")),
    density=(2.0, 1.0),
    dpi=(300.0, 240.0),
)


def make(row: Format, bit_depth: int, channels: int, *, alpha: bool) -> Image:
    rng = np.random.default_rng(channels)
    dtype = sample_type(bit_depth)
    if dtype.kind == "f":
        # Beyond [0, 1], as high dynamic range is.
        pixels = rng.normal(size=(19, 23, channels)).astype(np.float32)
        mask = rng.random((19, 23)).astype(np.float32)
    else:
        samples = rng.integers(0, 2**bit_depth, (19, 23, channels), dtype=dtype)
        pixels = samples.astype(np.float32) / np.float32(2**bit_depth - 1)
        mask = rng.integers(0, 2**bit_depth, (19, 23), dtype=dtype)
    return Image(
        pixels, mask if alpha else None, bit_depth=bit_depth, format=row.name, lossless=True
    )


CASES = [
    (name, bit_depth, channels, alpha)
    for name, row in WRITABLE.items()
    for bit_depth, channels, alpha in itertools.product(row.bit_depths, (1, 3), (False, True))
    if row.alpha or not alpha
]


@pytest.mark.parametrize(("name", "bit_depth", "channels", "alpha"), CASES)
def test_depth_grayness_and_alpha(name: str, bit_depth: int, channels: int, alpha: bool) -> None:
    row = FORMATS[name]
    image = make(row, bit_depth, channels, alpha=alpha)
    again = read_image(encode_image(image))
    assert (again.format, again.bit_depth) == (name, bit_depth)
    assert again.gray == (channels == 1 and row.gray and (row.gray_alpha or not alpha))
    if alpha:
        np.testing.assert_array_equal(again.alpha, image.alpha)
    else:
        assert again.alpha is None
    expected = np.broadcast_to(image.pixels, again.pixels.shape)
    if name in LOSSLESS:
        assert again.lossless
        np.testing.assert_array_equal(again.pixels, expected)
        # And once more, now with what was read of its coding.
        np.testing.assert_array_equal(read_image(encode_image(again)).pixels, expected)
    else:
        assert np.abs(again.pixels - expected).mean() < 0.03


@pytest.mark.parametrize("field", [field.name for field in fields(Metadata)])
@pytest.mark.parametrize("name", WRITABLE)
def test_metadata(name: str, field: str) -> None:
    value = getattr(METADATA, field)
    image = Image(np.full((9, 8, 3), 0.5, np.float32), format=name)
    image = replace(image, metadata=replace(Metadata(), **{field: value}))
    found = getattr(read_image(encode_image(image)).metadata, field)
    if field not in FORMATS[name].metadata:
        assert not found
        assert len(lost_metadata(image, name)) == 1
        return
    assert lost_metadata(image, name) == ()
    if field == "dpi":
        assert found == pytest.approx(value, abs=0.01)
    elif field == "exif" and name in ("TIFF", "AVIF", "HEIF"):  # laid out anew
        assert b"Maker\x00" in found
    else:
        assert found == value


@pytest.mark.parametrize("name", WRITABLE)
def test_all_metadata_at_once(name: str) -> None:
    image = Image(np.full((9, 8, 3), 0.5, np.float32), format=name, metadata=METADATA)
    first = read_image(encode_image(image))
    assert read_image(encode_image(first)).metadata == first.metadata


@pytest.mark.parametrize("name", WRITABLE)
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("bit_depth", [8, 16, 32])
def test_what_the_table_does_not_promise_is_refused(name: str, bit_depth: int, alpha: bool) -> None:
    from kerasdenoise.errors import OutputError

    row = FORMATS[name]
    image = make(row, bit_depth, 3, alpha=alpha)
    if bit_depth in row.bit_depths and (row.alpha or not alpha):
        assert encode_image(image)
    else:
        with pytest.raises(OutputError):
            encode_image(image)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", sorted(set(WRITABLE) - {"BMP", "HEIF"}))
def test_all_orientations_stay_tags(name: str, orientation: int) -> None:
    tag = Tag(3, 1, orientation.to_bytes(2, "big"))
    image = Image(
        np.full((9, 8, 3), 0.5, np.float32),
        format=name,
        metadata=Metadata(exif=pack_block({ORIENTATION: tag}, ">")),
    )
    again = read_image(encode_image(read_image(encode_image(image))))
    assert again.pixels.shape == (9, 8, 3)
    exif = again.metadata.exif
    if orientation == 1 and name == "AVIF":  # the format has no turn that is none
        return
    assert orientation_of(exif) == orientation


def orientation_of(exif: bytes | None) -> int:
    from PIL import Image as PillowImage

    block = PillowImage.Exif()
    block.load(exif or b"")
    return block.get(ORIENTATION, 1)


@pytest.mark.parametrize(("given", "asked"), [(8, 16), (16, 8), (16, 32), (8, 32), (32, 16)])
def test_another_bit_depth_can_be_chosen(given: int, asked: int) -> None:
    row = FORMATS["TIFF"]
    image = make(row, given, 3, alpha=True)
    again = read_image(encode_image(image, bit_depth=asked))
    assert again.bit_depth == asked
    step = 0.5 / min(255, 2 ** min(given, asked) - 1)
    np.testing.assert_allclose(again.pixels, image.pixels.clip(0, 1), atol=1.01 * step)
    assert again.alpha is not None
    assert image.alpha is not None
    peaks = [1 if depth == 32 else 2**depth - 1 for depth in (asked, given)]
    np.testing.assert_allclose(again.alpha / peaks[0], image.alpha / peaks[1], atol=1.01 * step)


def test_8_bits_become_16_and_8_again_without_a_change() -> None:
    image = make(FORMATS["PNG"], 8, 3, alpha=True)
    wide = read_image(encode_image(image, bit_depth=16))
    narrow = read_image(encode_image(wide, bit_depth=8))
    np.testing.assert_array_equal(narrow.pixels, image.pixels)
    np.testing.assert_array_equal(narrow.alpha, image.alpha)


def test_an_unknown_bit_depth_or_quality_is_refused(make_image: Callable[..., Image]) -> None:
    from kerasdenoise.errors import UsageError

    choices: list[dict[str, Any]] = [
        {"bit_depth": 12},
        {"quality": 0},
        {"quality": 101},
        {"quality": "best"},
    ]
    for choice in choices:
        with pytest.raises(UsageError):
            encode_image(make_image(), **choice)
