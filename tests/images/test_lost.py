"""What a file has beside its picture is in the result, or it is said that it is not."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL.ImageCms import ImageCmsProfile, createProfile

from kerasdenoise.errors import InputError, OutputError
from kerasdenoise.images import heif
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.metadata import lost_metadata
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import check_writable, encode_image

Encoded = Callable[..., bytes]


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    return data[:2] + struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body + data[2:]


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return data[:33] + struct.pack(">I", len(body)) + kind + body + checksum + data[33:]


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xE1, b"FLIR\x00\x01" + bytes(range(256))),
        (0xE1, b"Qualcomm Camera Attributes"),
        (0xE2, b"FPXR\x00data"),
        (0xE3, b"Meta\x00"),
        (0xE4, b"ssuniqueid\x00"),
        (0xE6, b"GoPro\x00"),
        (0xEC, b"Ducky\x00"),
        (0xED, b"Adobe_CM\x00\x02"),
        (0xEF, bytes(65533)),
    ],
)
def test_segments_of_makers_are_kept(encoded: Encoded, marker: int, body: bytes) -> None:
    image = read_image(with_segment(encoded("RGB", "JPEG"), marker, body))
    written = encode_image(image)
    assert struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body in written
    assert read_image(written).metadata == image.metadata
    assert any("thermal" in note for note in image.notes) == body.startswith(b"FLIR")
    assert lost_metadata(image, "PNG") == ("segments of the camera's maker",)
    # Nobody knows whether they say where a photo was taken.
    for policy in ("none", "no-gps"):
        assert body not in encode_image(image, metadata=policy)


def test_what_holds_for_the_old_pixels_alone_is_named(encoded: Encoded) -> None:
    image = read_image(with_segment(encoded("RGB", "JPEG"), 0xEB, b"JP\x00\x01jumb"))
    assert "content credentials" in image.notes[0]
    assert b"jumb" not in encode_image(image)


def test_what_lies_behind_a_jpeg_is_named(encoded: Encoded) -> None:
    data = encoded("RGB", "JPEG")
    video = b"\x00\x00\x00\x18ftypmp42" + bytes(20)
    assert "video" in read_image(data + video).notes[0]
    assert "9 bytes after" in read_image(data + b"somewhat.").notes[0]
    assert read_image(data + bytes(9)).notes == ()
    assert read_image(encoded("RGB", "JPEG", progressive=True)).notes == ()


def test_a_jpeg_states_its_pixels_aspect(encoded: Encoded) -> None:
    data = bytearray(encoded("RGB", "JPEG"))
    struct.pack_into(">BHH", data, 13, 0, 4, 3)
    image = read_image(bytes(data))
    assert image.metadata.density == (4, 3)
    assert encode_image(image)[13:18] == struct.pack(">BHH", 0, 4, 3)
    assert lost_metadata(image, "WEBP") == ("resolution without a unit",)
    for name in ("PNG", "TIFF"):
        again = read_image(encode_image(replace(image, format=name)))
        assert again.metadata.density == (4, 3)
    assert read_image(encoded("RGB", "JPEG")).metadata.density is None


@pytest.mark.parametrize("dpi", [(0.2, 0.2), (70_000.0, 300.0)])
def test_dots_per_inch_beyond_a_jpegs_are_named(dpi: tuple[float, float]) -> None:
    pixels = np.zeros((3, 4, 3), np.float32)
    image = Image(pixels, format="JPEG", metadata=Metadata(dpi=dpi))
    assert lost_metadata(image, "JPEG") == ("dots per inch",)
    assert encode_image(image)
    assert lost_metadata(image, "TIFF") == ()


def test_a_scale_without_a_unit_is_kept_exactly() -> None:
    # As ImageJ calibrates: pixels per micrometer, of which the description names the unit.
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as file:
        file.write(
            np.zeros((9, 8), np.uint16),
            metadata=None,
            description="ImageJ=1.53\nunit=micron\n",
            resolution=((1_234_567, 1_000_000), (987_654, 1_000_000)),
            resolutionunit=1,
        )
    image = read_image(stream.getvalue())
    with tifffile.TiffFile(io.BytesIO(encode_image(image))) as file:
        tags = file.pages.first.tags
        assert tags[282].value == (1_234_567, 1_000_000)
        assert tags[283].value == (987_654 // 2, 500_000)
        assert tags[296].value == 1
        assert "micron" in tags[270].value
    # Others state whole numbers.
    assert lost_metadata(image, "PNG") == ("resolution without a unit",)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"tIME", b"\x07\xe9\x01\x02\x03\x04\x05"),
        (b"oFFs", struct.pack(">iiB", -5, 7, 0)),
        (b"sCAL", b"\x011\x001"),
        (b"vpAg", bytes(9)),
    ],
)
def test_chunks_that_stay_true_are_kept(encoded: Encoded, kind: bytes, body: bytes) -> None:
    image = read_image(with_chunk(encoded("RGB", "PNG"), kind, body))
    assert image.notes == ()
    assert kind + body in encode_image(image)
    for policy in ("no-gps", "none"):
        encode_image(image, metadata=policy)


@pytest.mark.parametrize("kind", [b"bKGD", b"hIST", b"sBIT", b"caBX"])
def test_chunks_that_do_not_are_named(encoded: Encoded, kind: bytes) -> None:
    image = read_image(with_chunk(encoded("RGB", "PNG"), kind, b"\x08\x08\x08\x08"))
    assert kind.decode() in image.notes[0]
    assert kind not in encode_image(image)


@pytest.mark.parametrize(
    "body", [b"name\x00\x00no zlib", b"name\x00\x00" + zlib.compress(b"x")[:-2]]
)
def test_a_damaged_profile_is_named(encoded: Encoded, body: bytes) -> None:
    image = read_image(with_chunk(encoded("RGB", "PNG"), b"iCCP", body))
    assert image.metadata.icc is None
    assert "damaged color profile" in image.notes[0]


def test_long_xmp_becomes_extended_xmp() -> None:
    inner = b"<x:xmpmeta><rdf:RDF>" + b"".join(b"<a>%d</a>" % n for n in range(20_000))
    inner += b"</rdf:RDF></x:xmpmeta>"
    xmp = b"<?xpacket begin='' id=''?>" + inner + b"<?xpacket end='w'?>"
    image = Image(np.zeros((9, 8, 3), np.float32), format="JPEG", metadata=Metadata(xmp=xmp))
    again = read_image(encode_image(image))
    assert len(again.metadata.xmp or b"") < 1000
    parts = again.metadata.xmp_extension
    assert len(parts) > 1
    name = parts[0][:32]
    assert name == hashlib.md5(inner).hexdigest().upper().encode()
    assert b'HasExtendedXMP="' + name in (again.metadata.xmp or b"")
    whole = bytearray(len(inner))
    for part in parts:
        length, at = struct.unpack_from(">LL", part, 32)
        assert (part[:32], length) == (name, len(inner))
        whole[at : at + len(part) - 40] = part[40:]
    assert whole == inner


def test_a_name_that_is_too_long_is_refused_before_the_work(tmp_path: Path) -> None:
    image = Image(np.zeros((9, 8, 3), np.float32), format="PNG")
    check_writable(image, tmp_path / f"{'ü' * 125}.png")
    with pytest.raises(OutputError, match="too long"):
        check_writable(image, tmp_path / f"{'ü' * 127}.png")


def test_an_address_is_no_file() -> None:
    for source in (Path("https://example.com/a.jpg"), Path("http://example.com")):
        with pytest.raises(InputError, match=r"https?://example\.com.*: .*address"):
            read_image(source)


def test_chunks_of_webp_that_nobody_knows_are_named(encoded: Encoded) -> None:
    data = encoded("RGB", "WEBP", lossless=True, exact=True)
    more = data[8:] + b"abcd" + struct.pack("<L", 4) + bytes(4)
    image = read_image(b"RIFF" + struct.pack("<L", len(more)) + more)
    assert image.notes == ("has chunks of abcd: they are dropped",)
    assert b"abcd" not in encode_image(image)
    assert read_image(data).notes == ()


def with_bytes(data: bytes, at: int, body: bytes) -> bytes:
    return data[:at] + body + data[at + len(body) :]


PROFILE = ImageCmsProfile(createProfile("sRGB")).tobytes()
BLOCKS: dict[str, Any] = {
    "exif": b"MM\0*\0\0\0\x08" + bytes(6),
    "icc_profile": PROFILE,
    "xmp": b"<x/>",
}


@pytest.mark.parametrize("body", [b"\x01\x02" + PROFILE[:99], b"\x02\x02" + PROFILE])
def test_a_profile_of_which_a_part_is_missing_is_named(encoded: Encoded, body: bytes) -> None:
    image = read_image(with_segment(encoded("RGB", "JPEG"), 0xE2, b"ICC_PROFILE\0" + body))
    assert image.metadata.icc is None
    assert image.notes == ("has a damaged color profile: it is dropped",)


@pytest.mark.parametrize("body", [b"JFXX\0\x10" + bytes(50), b"JFIF\0\1\1\0\0\1\0\1\1\1abc"])
def test_previews_of_a_jpeg_are_named(encoded: Encoded, body: bytes) -> None:
    image = read_image(with_segment(encoded("RGB", "JPEG"), 0xE0, body))
    assert image.notes == ("has previews outside its EXIF: they are dropped",)


def test_a_second_packet_of_xmp_is_named(encoded: Encoded) -> None:
    data = encoded("RGB", "JPEG")
    for packet in (b"<b/>", b"<a/>"):
        data = with_segment(data, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)
    image = read_image(data)
    assert image.metadata.xmp == b"<b/>"
    assert image.notes == ("has 2 packets of XMP: all but the last are dropped",)


def test_segments_between_scans_are_kept_or_named(encoded: Encoded) -> None:
    data = encoded("RGB", "JPEG", progressive=True)
    last = data.rindex(b"\xff\xc4")
    # What looks like an end within a segment is none.
    own = b"\xff\xe5" + struct.pack(">H", 2 + 8) + b"GE\0a\xff\xd9bc"
    image = read_image(data[:last] + own + data[last:])
    assert own in encode_image(image)
    np.testing.assert_array_equal(image.pixels, read_image(data).pixels)
    profile = b"\xff\xe2" + struct.pack(">H", 16 + len(PROFILE)) + b"ICC_PROFILE\0\1\1" + PROFILE
    image = read_image(data[:last] + profile + data[last:])
    assert image.notes == ("has a damaged color profile: it is dropped",)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "AVIF", "BMP", "JPEG"])
def test_what_lies_behind_any_picture_is_named(encoded: Encoded, file_format: str) -> None:
    data = encoded("RGB", file_format)
    assert read_image(data + bytes(5)).notes == read_image(data).notes == ()
    image = read_image(data + b"\xff\xff\xff\xff.video.")
    assert image.notes == ("has 11 bytes after the image: they are dropped",)


@pytest.mark.parametrize("name", ["icc", "exif", "xmp"])
def test_blocks_that_webp_does_not_announce_are_named(encoded: Encoded, name: str) -> None:
    data = encoded("RGB", "WEBP", lossless=True, **BLOCKS)
    flag = {"icc": 0x20, "exif": 0x08, "xmp": 0x04}[name]
    image = read_image(with_bytes(data, 20, bytes((data[20] & ~flag,))))
    assert not getattr(image.metadata, name)
    assert [note.endswith("it is dropped") for note in image.notes] == [True]
    assert read_image(data).notes == ()


@pytest.mark.parametrize("file_format", ["AVIF", "HEIF"])
def test_blocks_that_a_reader_does_not_find_are_named(
    encoded: Encoded, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    if file_format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded("RGB", file_format, **BLOCKS)
    assert read_image(data).notes == ()
    monkeypatch.setattr(heif, "metadata_of", lambda picture: Metadata())
    monkeypatch.setattr(heif, "bare_exif", lambda exif: None)
    damaged = data.replace(PROFILE[-200:], bytes(200))
    assert len(read_image(damaged).notes) == (3 if file_format == "AVIF" else 1)


@pytest.mark.parametrize("body", [bytes(9), b"short"])
def test_a_damaged_resolution_is_named(encoded: Encoded, body: bytes) -> None:
    image = read_image(with_chunk(encoded("RGB", "PNG"), b"pHYs", body))
    assert image.notes == ("has a damaged resolution: it is dropped",)


def test_xmp_of_a_png_that_cannot_be_inflated_is_named(encoded: Encoded) -> None:
    packed = zlib.compress(b"<x:xmpmeta/>")
    for end, notes in ((None, ()), (-3, ("has a damaged XMP: it is dropped",))):
        body = b"XML:com.adobe.xmp\0\1\0\0\0" + packed[:end]
        assert read_image(with_chunk(encoded("RGB", "PNG"), b"iTXt", body)).notes == notes


def test_a_palette_that_only_proposes_colors_is_named(encoded: Encoded) -> None:
    image = read_image(with_chunk(encoded("RGB", "PNG"), b"PLTE", bytes(9)))
    assert image.notes == ("has chunks of PLTE: they are dropped",)


def test_colors_of_a_bmp_that_are_not_in_it_are_named() -> None:
    image = Image(np.zeros((3, 4, 3), np.float32), format="BMP", metadata=Metadata(icc=PROFILE))
    data = encode_image(image)
    assert read_image(data).notes == ()
    assert "profile in another file" in read_image(with_bytes(data, 70, b"KNIL")).notes[0]
    primaries = with_bytes(data, 70, bytes(4) + b"\1" * 48)
    assert "primaries" in read_image(primaries).notes[0]
    assert read_image(with_bytes(data, 70, bytes(52))).notes == ()


def test_what_a_tiff_has_below_its_page_is_named() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)

    def notes(*, big: bool = False, preview: bool = False, **options: Any) -> tuple[str, ...]:
        stream = io.BytesIO()
        with tifffile.TiffWriter(stream, bigtiff=big) as file:
            file.write(pixels, metadata=None, photometric="rgb", **options)
            if preview:
                file.write(pixels[::2, ::2], metadata=None, photometric="rgb", subfiletype=1)
        return read_image(stream.getvalue()).notes

    below = "has previews or other pages inside its pages: they are dropped"
    assert notes() == ()
    assert notes(preview=True) == (below,)
    assert notes(subifds=1, preview=True) == (below,)
    assert notes(resolution=((0, 1), (1, 1))) == ("has a damaged resolution: it is dropped",)
    # Of 64-bit values, EXIF knows none.
    long = notes(big=True, extratags=[(65000, 16, 2, (1, 2), True)])
    assert long == ("has tags of 65000: they are dropped",)
