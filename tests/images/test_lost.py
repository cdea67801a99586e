"""What a file has beside its picture is in the result, or it is said that it is not."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from kerasdenoise.errors import InputError, OutputError
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
    assert "9 bytes behind" in read_image(data + b"somewhat.").notes[0]
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
    assert image.notes == ("has chunks of abcd: they are left out",)
    assert b"abcd" not in encode_image(image)
    assert read_image(data).notes == ()
