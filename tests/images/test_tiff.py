from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.photoshop import iptc_of
from kerasdenoise.images.read import read_image
from kerasdenoise.images.tags import EXIF, GPS, ORIENTATION, Tag, first_directory, read_directory
from kerasdenoise.images.write import encode_image

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
GRAY = RGB[..., 0].copy()


def tiff(samples: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    order = options.pop("byteorder", "<")
    with tifffile.TiffWriter(stream, byteorder=order, bigtiff=options.pop("big", False)) as file:
        file.write(samples, metadata=None, **{"software": False, **options})
    return stream.getvalue()


def read_error(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        read_image(data)
    return str(caught.value)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize(
    "compression", [None, "lzw", "adobe_deflate", "deflate", "packbits", "zstd", "lzma"]
)
def test_compression_and_order_of_bytes_are_kept(
    compression: str | None, predictor: bool, order: str
) -> None:
    if predictor and compression in (None, "packbits"):
        pytest.skip("has no predictor")
    samples = RGB.astype(np.uint16) * 257
    data = tiff(samples, compression=compression, predictor=predictor, byteorder=order)
    image = read_image(data)
    written = encode_image(image)
    with tifffile.TiffFile(io.BytesIO(written)) as file:
        page = file.pages.first
        number = tifffile.COMPRESSION[(compression or "none").upper()]
        assert (page.compression, int(page.predictor)) == (number, 2 if predictor else 1)
        assert file.byteorder == order
        np.testing.assert_array_equal(page.asarray(), samples)
    # Other readers see the same.
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        np.testing.assert_array_equal(np.rint(image.pixels * 65535), file.pages.first.asarray())


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (16, 16)},
        {"rowsperstrip": 7},
        {"planarconfig": "separate"},
        {"big": True},
        {"big": True, "byteorder": ">"},
        {"tile": (16, 32), "planarconfig": "separate", "compression": "lzw"},
    ],
    ids=str,
)
def test_every_layout_is_read(options: dict[str, Any]) -> None:
    samples = np.moveaxis(RGB, -1, 0) if "planarconfig" in options else RGB
    image = read_image(tiff(samples, photometric="rgb", **options))
    np.testing.assert_array_equal(np.rint(image.pixels * 255), RGB)
    again = read_image(encode_image(image))
    np.testing.assert_array_equal(again.pixels, image.pixels)


def test_white_may_be_zero() -> None:
    image = read_image(tiff(GRAY, photometric="miniswhite"))
    assert image.gray
    np.testing.assert_array_equal(np.rint(image.pixels[..., 0] * 255), 255 - GRAY)
    shown = PillowImage.open(io.BytesIO(encode_image(image)))
    np.testing.assert_array_equal(np.asarray(shown), 255 - GRAY)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "LA", "RGBA"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_pillows_files_are_read_as_pillow_shows_them(mode: str, compression: str | None) -> None:
    alpha = PillowImage.fromarray(GRAY)
    picture = PillowImage.fromarray(RGB)
    picture = picture.quantize(16) if mode == "P" else picture.convert(mode.removesuffix("A"))
    if mode in ("LA", "RGBA"):
        picture.putalpha(alpha)
    stream = io.BytesIO()
    picture.save(stream, "TIFF", compression=compression)
    image = read_image(stream.getvalue())
    shown = np.asarray(picture.convert({"1": "L", "P": "RGB"}.get(mode, mode))).reshape(40, 50, -1)
    channels = 1 if mode in ("1", "L", "LA") else 3
    np.testing.assert_array_equal(np.rint(image.pixels * 255), shown[..., :channels])
    if mode.endswith("A"):
        np.testing.assert_array_equal(image.alpha, GRAY)
    assert bool(image.notes) == (mode == "P")


def test_colors_come_out_of_alpha_and_go_back() -> None:
    alpha = np.array([[0, 1, 128, 255]], np.uint8)
    colors = np.array([[[9, 9, 9], [1, 0, 1], [64, 128, 0], [7, 8, 9]]], np.uint8)
    samples = np.concatenate([colors, alpha[..., np.newaxis]], axis=-1)
    data = tiff(samples, photometric="rgb", extrasamples=["assocalpha"])
    image = read_image(data)
    np.testing.assert_allclose(image.pixels[0, :, 0], [9 / 255, 1, 64 / 128, 7 / 255], rtol=1e-6)
    with tifffile.TiffFile(io.BytesIO(encode_image(image))) as file:
        assert [int(kind) for kind in file.pages.first.extrasamples] == [1]
        np.testing.assert_array_equal(file.pages.first.asarray(), samples)


def test_only_tiff_multiplies_colors_with_alpha() -> None:
    samples = np.array([[[64, 128, 0, 128]]], np.uint8)
    image = read_image(tiff(samples, photometric="rgb", extrasamples=["assocalpha"]))
    png = read_image(encode_image(replace(image, format="PNG")))
    assert np.rint(png.pixels * 255).tolist() == [[[128, 255, 0]]]
    assert encode_image(replace(image, format="JPEG", alpha=None), quality="keep")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_multiplied_colors_come_back_exactly(dtype: type) -> None:
    peak = 1 if dtype is np.float32 else np.iinfo(dtype).max
    alpha = RNG.random((60, 70, 1))
    samples = np.concatenate([RNG.random((60, 70, 3)) * alpha, alpha], axis=-1) * peak
    samples = samples.astype(dtype)
    image = read_image(tiff(samples, photometric="rgb", extrasamples=["assocalpha"]))
    with tifffile.TiffFile(io.BytesIO(encode_image(image))) as file:
        written = file.pages.first.asarray()
    if dtype is np.float32:
        np.testing.assert_allclose(written, samples, rtol=1e-6)
    else:
        np.testing.assert_array_equal(written, samples)


@pytest.mark.parametrize(
    ("samples", "options", "text"),
    [
        (np.zeros((4, 5), np.uint64), {}, "64 bits"),
        (np.zeros((4, 5), np.complex64), {}, "64 bits"),
        (np.zeros((4, 5, 4), np.uint8), {"photometric": "separated"}, "CMYK|SEPARATED"),
        (np.zeros((4, 5, 3), np.uint8), {"photometric": "cielab"}, "Lab"),
        (
            np.zeros((4, 5, 5), np.uint8),
            {"photometric": "rgb", "extrasamples": [2, 0], "planarconfig": "contig"},
            "channels that are not transparency",
        ),
        (np.zeros((16, 16, 3), np.uint8), {"photometric": "rgb", "compression": "jpeg"}, "JPEG"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    samples: np.ndarray, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(InputError, match=text) as caught:
        read_image(tiff(samples, **options))
    assert caught.value.remedy


def pages(*options: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as file:
        for number, more in enumerate(options):
            file.write(RGB + number, photometric="rgb", metadata=None, **more)
    return stream.getvalue()


def test_several_pages_are_refused_or_the_first_is_read() -> None:
    data = pages({}, {}, {})
    assert "holds 3 pages" in read_error(data)
    image = read_image(data, first_only=True)
    np.testing.assert_array_equal(np.rint(image.pixels * 255), RGB)
    assert "holds 3 pages" in image.notes[0]


def test_previews_are_no_pages() -> None:
    image = read_image(pages({"subfiletype": 1}, {}, {"subfiletype": 1}))
    np.testing.assert_array_equal(np.rint(image.pixels * 255), RGB + 1)


def test_metadata_is_that_of_the_page_not_of_its_preview() -> None:
    image = read_image(pages({"subfiletype": 1, "description": "small"}, {"description": "large"}))
    assert image.metadata.exif is not None
    assert b"large" in image.metadata.exif
    assert b"small" not in image.metadata.exif


def test_a_circle_of_pages_ends() -> None:
    data = bytearray(pages({}))
    (start,) = struct.unpack_from("<L", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<L", data, start + 2 + 12 * count, start)
    np.testing.assert_array_equal(np.rint(read_image(bytes(data)).pixels * 255), RGB)


@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate"])
def test_a_file_cut_anywhere_is_an_error(compression: str | None) -> None:
    data = tiff(RGB[:9, :7], photometric="rgb", compression=compression)
    read_image(data)
    for length in range(4, len(data)):
        with pytest.raises(InputError):
            read_image(data[:length])


def test_no_metadata_is_lost_of_a_cut_file() -> None:
    metadata = Metadata(icc=bytes(300), xmp=bytes(200))
    data = encode_image(Image(np.zeros((3, 4, 3), np.float32), format="TIFF", metadata=metadata))
    for length in range(4, len(data), 3):
        assert "is truncated" in read_error(data[:length])


def test_tags_go_there_and_back() -> None:
    exposure = {
        0x829A: Tag(5, 1, struct.pack("<LL", 1, 250)),
        0x9003: Tag(2, 20, b"2" * 19 + b"\0"),
    }
    place = {2: Tag(5, 3, struct.pack("<6L", 52, 1, 31, 1, 0, 1))}
    tags = {
        0x010F: Tag(2, 6, b"Maker\x00"),
        ORIENTATION: Tag(3, 1, struct.pack("<H", 8)),
        EXIF: Tag(4, 1, b"", exposure),
        GPS: Tag(4, 1, b"", place),
    }
    from kerasdenoise.images.tags import pack_block

    image = Image(
        np.zeros((3, 4, 3), np.float32),
        format="TIFF",
        metadata=Metadata(exif=pack_block(tags, "<")),
    )
    data = encode_image(image)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        found = file.pages.first.tags
        assert found["Make"].value == "Maker"
        assert found["Orientation"].value == 8
        assert found["ExifTag"].value["ExposureTime"] == (1, 250)
        assert found["GPSTag"].value["GPSLatitude"] == (52, 1, 31, 1, 0, 1)
    again = read_image(data).metadata.exif
    assert again is not None
    read = read_directory(again, first_directory(again))
    assert {number: tag.value for number, tag in read.items() if tag.directory is None} == {
        number: tag.value for number, tag in tags.items() if tag.directory is None
    }
    below = read[EXIF].directory
    assert below is not None
    assert below[0x829A].value == exposure[0x829A].value


def test_iptc_without_photoshop_is_found() -> None:
    iptc = b"\x1c\x02\x05\x00\x05title\x00"
    data = tiff(RGB, photometric="rgb", extratags=[(33723, 7, len(iptc), iptc, True)])
    image = read_image(data)
    assert iptc_of(image.metadata.photoshop or b"") == iptc
    with tifffile.TiffFile(io.BytesIO(encode_image(image))) as file:
        assert bytes(file.pages.first.tags[33723].value) == iptc


@pytest.mark.parametrize(("unit", "dpi"), [(2, 300.0), (3, 762.0), (1, None)])
def test_resolution(unit: int, dpi: float | None) -> None:
    data = tiff(RGB, photometric="rgb", resolution=(300, 300), resolutionunit=unit)
    image = read_image(data)
    assert image.metadata.dpi == (None if dpi is None else (dpi, dpi))
    assert read_image(encode_image(image)).metadata.dpi == image.metadata.dpi


def test_layers_are_left_out_with_a_note() -> None:
    data = tiff(RGB, photometric="rgb", extratags=[(37724, 7, 6, b"layers", True)])
    image = read_image(data)
    assert "layers" in image.notes[0]
    assert b"layers" not in encode_image(image)


def test_a_pillow_reader_sees_16_bits_of_gray() -> None:
    samples = RNG.integers(0, 65536, (9, 8), dtype=np.uint16)
    shown = PillowImage.open(io.BytesIO(encode_image(read_image(tiff(samples)))))
    np.testing.assert_array_equal(np.asarray(shown), samples)


@pytest.mark.parametrize("kind", [4, 13, 16, 18])
def test_exif_of_a_big_file_is_kept(kind: int) -> None:
    # Put where the software is named, which comes before the tags of EXIF.
    data = bytearray(tiff(RGB, photometric="rgb", big=True, software="x"))
    place = data.index(struct.pack("<HHQ", 305, 2, 2))
    struct.pack_into("<HHQQ", data, place, EXIF, kind, 1, len(data))
    below = [(0x8827, 3, 1, 400), (0xFDE8, 16, 1, 5)]
    data += struct.pack("<Q", 2) + b"".join(struct.pack("<HHQQ", *tag) for tag in below) + bytes(8)
    image = read_image(bytes(data))
    exif = image.metadata.exif or b""
    found = read_directory(exif, first_directory(exif))[EXIF].directory or {}
    # The second is of a type that EXIF has not.
    assert {number: tag.numbers("<") for number, tag in found.items()} == {0x8827: [400]}
    with tifffile.TiffFile(io.BytesIO(encode_image(image))) as file:
        assert file.pages.first.tags["ExifTag"].value["ISOSpeedRatings"] == 400
