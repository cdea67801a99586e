from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.png import _chunks
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image

MakePng = Callable[..., bytes]
RNG = np.random.default_rng(0)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def rows_of(samples: np.ndarray) -> list[bytes]:
    return [row.astype(">u2").tobytes() for row in samples]


@pytest.mark.parametrize(("color", "count"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bits_are_those_in_the_file(make_png: MakePng, color: int, count: int) -> None:
    samples = RNG.integers(0, 65536, (7, 5, count), dtype=np.uint16)
    image = read_image(make_png((7, 5), 16, color, rows_of(samples)))
    channels = 3 if count > 2 else 1
    np.testing.assert_array_equal(np.rint(image.pixels * 65535), samples[..., :channels])
    if count in (2, 4):
        np.testing.assert_array_equal(image.alpha, samples[..., -1])


def test_interlaced_16_bits() -> None:
    # Adam7, 3 x 3 gray, every pass by hand: (0,0) | (2,0) | (0,2) (2,2) | (1,0) (1,2) | row 1.
    passes = b"".join(
        b"\x00" + struct.pack(f">{len(values)}H", *values)
        for values in ([1], [3], [7, 9], [2], [8], [4, 5, 6])
    )
    header = struct.pack(">IIBBBBB", 3, 3, 16, 0, 0, 0, 1)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    data += chunk(b"IDAT", zlib.compress(passes)) + chunk(b"IEND", b"")
    pixels = np.rint(read_image(data).pixels[..., 0] * 65535)
    assert pixels.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_a_transparent_color_of_16_bits(make_png: MakePng) -> None:
    row = struct.pack(">6H", 1000, 2000, 3000, 1000, 2000, 3001)
    key = (b"tRNS", struct.pack(">3H", 1000, 2000, 3000))
    image = read_image(make_png((1, 2), 16, 2, [row], [key]))
    assert image.alpha is not None
    assert image.alpha.tolist() == [[0, 65535]]
    assert np.rint(image.pixels[0, 1] * 65535).tolist() == [1000, 2000, 3001]


def test_no_color_chunk_changes_the_pixels(make_png: MakePng) -> None:
    samples = RNG.integers(0, 65536, (4, 3, 3), dtype=np.uint16)
    color = [(b"gAMA", struct.pack(">L", 100_000)), (b"sBIT", b"\x0c\x0c\x0c")]
    plain = read_image(make_png((4, 3), 16, 2, rows_of(samples)))
    image = read_image(make_png((4, 3), 16, 2, rows_of(samples), color))
    np.testing.assert_array_equal(image.pixels, plain.pixels)
    assert image.metadata.color == (color[0],)


@pytest.mark.parametrize("bit_depth", [8, 16])
def test_metadata_stands_before_the_pixels(bit_depth: int) -> None:
    metadata = Metadata(
        icc=b"profile",
        exif=b"MM\x00*\x00\x00\x00\x08\x00\x00",
        color=((b"gAMA", b"\x00\x00\xb1\x8f"),),
        texts=((b"tEXt", b"Author\x00me"),),
        dpi=(72.0, 72.0),
    )
    image = Image(np.zeros((3, 4, 3), np.float32), bit_depth=bit_depth, metadata=metadata)
    kinds = [kind for kind, _ in _chunks(encode_image(image))]
    assert kinds == [b"IHDR", b"gAMA", b"iCCP", b"pHYs", b"eXIf", b"tEXt", b"IDAT", b"IEND"]


def test_metadata_behind_the_pixels_is_found() -> None:
    data = encode_image(Image(np.zeros((3, 4, 3), np.float32)))
    exif = b"MM\x00*\x00\x00\x00\x08\x00\x00"
    data = data[:-12] + chunk(b"eXIf", exif) + chunk(b"tEXt", b"Author\x00me") + data[-12:]
    metadata = read_image(data).metadata
    assert metadata.exif == exif
    assert metadata.texts == ((b"tEXt", b"Author\x00me"),)


def with_chunk(kind: bytes, body: bytes) -> bytes:
    data = encode_image(Image(np.zeros((3, 4, 3), np.float32)))
    return data[:33] + chunk(kind, body) + data[33:]


def raw_profile(name: bytes, content: bytes) -> bytes:
    return b"Raw profile type %s\x00\n%s\n%8d\n%s\n" % (
        *(name, name, len(content)),
        content.hex().encode(),
    )


@pytest.mark.parametrize("name", [b"APP1", b"exif", b"xmp"])
def test_a_raw_profile_is_what_its_content_says(name: bytes) -> None:
    exif, xmp = b"MM\x00*\x00\x00\x00\x08\x00\x00", b"<x:xmpmeta/>"
    marker = b"http://ns.adobe.com/xap/1.0/\x00"
    for content, expected in [
        (exif, Metadata(exif=exif)),
        (b"Exif\x00\x00" + exif, Metadata(exif=exif)),
        (xmp, Metadata(xmp=xmp)),
        (marker + xmp, Metadata(xmp=xmp)),
    ]:
        body = raw_profile(name, content)
        assert read_image(with_chunk(b"tEXt", body)).metadata == expected


def test_a_raw_profile_of_something_else_stays_a_text() -> None:
    for content in (b"8BIM", b"", b"http://ns.adobe.com/xmp/extension/\x00"):
        body = raw_profile(b"APP1", content)
        assert read_image(with_chunk(b"tEXt", body)).metadata == Metadata(texts=((b"tEXt", body),))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"iCCP", b"name\x00\x00no zlib"),
        (b"iCCP", b"name"),
        (b"iCCP", b"name\x00\x00" + zlib.compress(bytes(2**27))),
        (b"zTXt", b"Raw profile type exif\x00\x00" + zlib.compress(bytes(2**27))),
        (b"iTXt", b"XML:com.adobe.xmp\x00\x01\x00\x00\x00" + zlib.compress(b"x")[:-5]),
        (b"pHYs", b"\x00"),
        (b"tEXt", b""),
    ],
    ids=["no zlib", "no profile", "profile bomb", "EXIF bomb", "cut XMP", "short pHYs", "no text"],
)
def test_damaged_metadata_is_none(kind: bytes, body: bytes) -> None:
    metadata = read_image(with_chunk(kind, body)).metadata
    assert replace(metadata, texts=()) == Metadata()


def test_a_critical_chunk_with_a_wrong_checksum_is_an_error() -> None:
    data = bytearray(encode_image(Image(np.zeros((3, 4, 3), np.float32))))
    data[29] ^= 1  # in the checksum of IHDR
    with pytest.raises(InputError, match="damaged PNG"):
        read_image(bytes(data))


@pytest.mark.parametrize("bit_depth", [8, 16])
def test_other_readers_see_the_same(bit_depth: int) -> None:
    top = 2**bit_depth - 1
    samples = RNG.integers(0, top + 1, (9, 8)).astype(f"uint{bit_depth}")
    pixels = samples.astype(np.float32)[..., np.newaxis] / np.float32(top)
    shown = PillowImage.open(io.BytesIO(encode_image(Image(pixels, bit_depth=bit_depth))))
    np.testing.assert_array_equal(np.asarray(shown), samples)


def test_an_animation_of_16_bits_is_refused(make_png: MakePng) -> None:
    samples = RNG.integers(0, 65536, (4, 3, 3), dtype=np.uint16)
    data = make_png((4, 3), 16, 2, rows_of(samples), [(b"acTL", struct.pack(">LL", 2, 0))])
    with pytest.raises(InputError, match="is an animation"):
        read_image(data)
    assert read_image(data, first_only=True).notes


def test_libpng_says_nothing_to_the_user(
    make_png: Callable[..., bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    # A filter that there is not; and a picture that is whole, beside which somebody talks.
    rows = [bytes(2 * 3)] * 2
    data = bytearray(make_png((2, 3), 16, 0, rows))
    at = data.index(b"IDAT")
    (length,) = struct.unpack_from(">I", data, at - 4)
    packed = zlib.compress(b"\x09" + rows[0] + b"\x00" + rows[1])
    body = b"IDAT" + packed
    new = struct.pack(">I", len(packed)) + body + struct.pack(">I", zlib.crc32(body))
    data[at - 4 : at + 8 + length] = new
    with pytest.raises(InputError, match="cannot be decoded"):
        read_image(bytes(data))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("bits", [8, 16])
def test_pixels_beyond_the_last_are_passed_over_without_a_word(
    make_png: MakePng, capfd: pytest.CaptureFixture[str], bits: int
) -> None:
    rows = [row.tobytes() for row in RNG.integers(0, 256, (9, 3 * bits // 8), dtype=np.uint8)]
    pixels = read_image(make_png((2, 3), bits, 0, rows)).pixels
    np.testing.assert_array_equal(pixels, read_image(make_png((2, 3), bits, 0, rows[:2])).pixels)
    assert capfd.readouterr().err == ""
