from __future__ import annotations

import io
import re
import struct
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError
from kerasdenoise.images import refusal
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image

Encoded = Callable[..., bytes]
MakePng = Callable[..., bytes]


def read_error(source: Path | bytes, name: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read_image(source, name)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.remedy
    return text


@pytest.mark.parametrize(
    ("mode", "file_format", "shown"),
    [
        ("L", "JPEG", "L"),
        ("RGB", "JPEG", "RGB"),
        ("1", "PNG", "L"),
        ("L", "PNG", "L"),
        ("LA", "PNG", "LA"),
        ("RGB", "PNG", "RGB"),
        ("RGBA", "PNG", "RGBA"),
        ("P", "PNG", "RGB"),
        ("P+tRNS", "PNG", "RGBA"),
        ("RGB", "WEBP", "RGB"),
        ("RGBA", "WEBP", "RGBA"),
    ],
)
def test_pixels_and_alpha_are_those_that_pillow_shows(
    encoded: Encoded, mode: str, file_format: str, shown: str
) -> None:
    data = encoded(mode, file_format)
    image = read_image(data)
    expected = np.asarray(PillowImage.open(io.BytesIO(data)).convert(shown)).reshape(23, 31, -1)
    channels = 1 if shown in ("L", "LA") else 3
    assert image.pixels.dtype == np.float32
    np.testing.assert_array_equal(
        image.pixels, expected[..., :channels].astype(np.float32) / np.float32(255)
    )
    if shown.endswith("A"):
        assert image.alpha is not None
        assert image.alpha.dtype == np.uint8
        np.testing.assert_array_equal(image.alpha, expected[..., -1])
    else:
        assert image.alpha is None
    assert (image.format, image.bit_depth) == (file_format, 8)


@pytest.mark.parametrize(
    ("file_format", "options", "lossless"),
    [
        ("JPEG", {}, False),
        ("PNG", {}, True),
        ("WEBP", {}, False),
        ("WEBP", {"lossless": True}, True),
        ("WEBP", {"lossless": True, "exif": b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00"}, True),
        ("WEBP", {"exif": b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00"}, False),
    ],
)
def test_lossless_coding_is_seen(
    encoded: Encoded, file_format: str, options: dict[str, Any], lossless: bool
) -> None:
    assert (
        read_image(
            encoded("RGBA" if file_format != "JPEG" else "RGB", file_format, **options)
        ).lossless
        is lossless
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_gray_of_few_bits_is_found(make_png: MakePng, bits: int) -> None:
    top = 2**bits - 1
    per_byte = 8 // bits
    values = [0, top] * 4
    row = bytes(
        sum(
            value << (8 - bits * (at + 1))
            for at, value in enumerate(values[start : start + per_byte])
        )
        for start in range(0, 8, per_byte)
    )
    for key in (0, top):
        data = make_png((2, 8), bits, 0, [row, row], [(b"tRNS", struct.pack(">H", key))])
        image = read_image(data)
        assert image.pixels.shape == (2, 8, 1)
        np.testing.assert_array_equal(image.pixels[0, :, 0], [0, 1] * 4)
        assert image.alpha is not None
        np.testing.assert_array_equal(
            image.alpha[1], [0 if value == key else 255 for value in values]
        )


def test_a_transparent_color_makes_alpha_and_keeps_its_color(make_png: MakePng) -> None:
    row = bytes([10, 20, 30, 10, 20, 31])
    image = read_image(make_png((1, 2), 8, 2, [row], [(b"tRNS", struct.pack(">3H", 10, 20, 30))]))
    assert image.alpha is not None
    assert image.alpha.tolist() == [[0, 255]]
    np.testing.assert_array_equal(np.rint(image.pixels * 255)[0, 0], [10, 20, 30])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ""])
def test_content_decides_not_the_name(tmp_path: Path, encoded: Encoded, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(encoded("RGB", "PNG"))
    assert read_image(path).format == "PNG"


def test_an_interlaced_png_is_whole() -> None:
    # Adam7, 3 x 3 gray, every pass by hand: (0,0) | (2,0) | (0,2) (2,2) | (1,0) (1,2) | row 1.
    passes = b"\x00\x01\x00\x03\x00\x07\x09\x00\x02\x00\x08\x00\x04\x05\x06"
    header = struct.pack(">IIBBBBB", 3, 3, 8, 0, 0, 0, 1)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    def file(data: bytes) -> bytes:
        return (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(data))
            + chunk(b"IEND", b"")
        )

    pixels = np.rint(read_image(file(passes)).pixels[..., 0] * 255)
    assert pixels.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert "is truncated" in read_error(file(passes[:-1]))


def test_missing(tmp_path: Path) -> None:
    assert read_error(tmp_path / "no.jpg").endswith("no.jpg: no such file; check the path")


def test_folder(tmp_path: Path) -> None:
    assert re.search("folder; .*files", read_error(tmp_path))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionError(13, "Permission denied"), "permission denied"),
        (OSError(5, "Input/output error"), "cannot be read (Input/output error)"),
        (MemoryError(), "does not fit into memory"),
    ],
)
def test_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", fail)
    assert text in read_error(tmp_path / "a.jpg")


def test_the_name_is_what_errors_call_it() -> None:
    assert read_error(b"", "standard input").startswith("standard input: is empty (0 bytes);")
    assert read_error(b"").startswith("picture: ")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"hello, this is text", "is not an image"),
        (b"\x00" * 4096, "is not an image"),
        (b"8BPS\x00\x01", "is a Photoshop image, which is not supported yet"),
        (b"II*\x00\x08\x00\x00\x00", "is truncated"),
        (b"GIF89a\x01\x00\x01\x00", "is a GIF"),
        (b"\xff\xd8\xff", "is truncated"),
        (b"\xff\xd8\xff\xe0" + b"x" * 40, "is truncated"),
        (b"\x89PNG\r\n\x1a\n", "is truncated"),
        (b"RIFF\x04\x00\x00\x00WEBP", "cannot be decoded"),
    ],
)
def test_what_is_no_whole_picture(data: bytes, text: str) -> None:
    assert text in read_error(data)


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"restart_marker_rows": 1}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_a_file_cut_anywhere_is_an_error(
    encoded: Encoded, file_format: str, options: dict[str, Any]
) -> None:
    data = encoded("RGB", file_format, **options)
    read_image(data)
    signature = {"JPEG": 3, "PNG": 8, "WEBP": 12}[file_format]
    for length in range(signature, len(data)):
        assert "truncated" in read_error(data[:length]), length


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_bytes_behind_the_picture_do_no_harm(encoded: Encoded, file_format: str) -> None:
    data = encoded("RGB", file_format)
    plain, trailed = read_image(data), read_image(data + b"trailer" * 100)
    np.testing.assert_array_equal(trailed.pixels, plain.pixels)


def test_a_cut_jpeg_is_not_saved_by_its_thumbnail(encoded: Encoded) -> None:
    thumbnail = encoded("RGB", "JPEG", quality=10)
    data = encoded("RGB", "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00" + thumbnail)
    assert "is truncated" in read_error(data[:-2])


@pytest.mark.parametrize("last", [[], [bytes(15)], [bytes(29)]])
def test_png_data_that_stops_early_is_an_error(make_png: MakePng, last: list[bytes]) -> None:
    rows = [bytes(30)] * 9
    read_image(make_png((10, 10), 8, 2, [*rows, bytes(30)]))
    assert "is truncated" in read_error(make_png((10, 10), 8, 2, [*rows, *last]))


def test_png_data_with_a_wrong_checksum_is_an_error(make_png: MakePng) -> None:
    data = bytearray(make_png((10, 10), 8, 2, [bytes(30)] * 10))
    data[-17] ^= 1  # the last byte of the zlib stream, before the chunk's sum and IEND
    assert "damaged PNG" in read_error(bytes(data))


def test_a_png_bomb_is_refused_before_it_is_inflated(make_png: MakePng) -> None:
    assert "1000 megapixels" in read_error(make_png((100_000, 100_000), 8, 2, []))


def test_a_jpeg_bomb_is_refused(encoded: Encoded) -> None:
    data = bytearray(encoded("RGB", "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    assert "65500 x 65500 pixels" in read_error(bytes(data))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_pillows_limit_neither_counts_nor_changes(
    encoded: Encoded, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    data = encoded("RGB", file_format)
    monkeypatch.setattr(PillowImage, "MAX_IMAGE_PIXELS", 350)  # 2 x 350 < 23 x 31 = 713
    assert read_image(data).width == 31
    assert PillowImage.MAX_IMAGE_PIXELS == 350
    read_error(data[: len(data) // 2])
    assert PillowImage.MAX_IMAGE_PIXELS == 350


def test_pillows_limit_survives_threads(encoded: Encoded) -> None:
    before = PillowImage.MAX_IMAGE_PIXELS
    data = encoded("RGB", "PNG")
    threads = [
        threading.Thread(target=lambda: [read_image(data) for _ in range(20)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert before == PillowImage.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("color", [0, 2])
def test_few_bytes_are_not_taken_for_many_pixels(encoded: Encoded, color: int) -> None:
    data = bytearray(encoded("RGB" if color else "L", "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 9000, 9000)
    assert re.search(f"9000 x 9000 pixels.* {len(data)} bytes", read_error(bytes(data)))


def test_the_limit_itself_is_allowed(encoded: Encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded("RGB", "PNG")
    monkeypatch.setattr(refusal, "MAX_PIXELS", 23 * 31)
    read_image(data)
    monkeypatch.setattr(refusal, "MAX_PIXELS", 23 * 31 - 1)
    assert "has 31 x 23 pixels" in read_error(data)


@pytest.mark.parametrize(
    ("color", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4)], ids=["L", "RGB", "LA", "RGBA"]
)
def test_16_bit_png_is_known_by_its_header(make_png: MakePng, color: int, samples: int) -> None:
    # All values fit 8 bits: a look at the largest would take it for an 8-bit picture.
    row = struct.pack(">H", 7) * samples * 3
    image = read_image(make_png((2, 3), 16, color, [row, row]))
    assert image.bit_depth == 16
    assert image.pixels.shape == (2, 3, 1 if samples < 3 else 3)
    np.testing.assert_array_equal(image.pixels, np.float32(7 / 65535))
    if samples in (2, 4):
        assert image.alpha is not None
        assert (image.alpha == 7).all()


def test_cmyk_jpeg_is_refused(encoded: Encoded) -> None:
    assert "CMYK" in read_error(encoded("CMYK", "JPEG"))


def test_12_bit_jpeg_is_refused(encoded: Encoded) -> None:
    data = bytearray(encoded("RGB", "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    assert "12-bit JPEG" in read_error(bytes(data))


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {}),
        ("PNG", {"default_image": True}),
        ("WEBP", {}),
    ],
)
def test_animations_are_refused(
    make_picture: Callable[..., PillowImage.Image], file_format: str, options: dict[str, Any]
) -> None:
    stream = io.BytesIO()
    frames = [make_picture("RGB"), make_picture("L").convert("RGB")]
    frames[0].save(stream, file_format, save_all=True, append_images=frames[1:], **options)
    assert "is an animation" in read_error(stream.getvalue())
    image = read_image(stream.getvalue(), first_only=True)
    assert image.pixels.shape == (23, 31, 3)
    assert "is an animation" in image.notes[0]


def jpeg_with_pictures(encoded: Encoded, *kinds: int, xmp: bytes = b"") -> bytes:
    """A JPEG whose index (MPF) names further pictures of these kinds behind it."""
    first, more = encoded("RGB", "JPEG", xmp=xmp), encoded("L", "JPEG")
    entries = b"".join(
        struct.pack("<LLLHH", kind, len(more), 1000 + at, 0, 0)
        for at, kind in enumerate((0x030000, *kinds))
    )
    index = b"II*\x00" + struct.pack("<LH", 8, 3)
    index += struct.pack("<HHL4s", 0xB000, 7, 4, b"0100")
    index += struct.pack("<HHLL", 0xB001, 4, 1, 1 + len(kinds))
    index += struct.pack("<HHLL", 0xB002, 7, len(entries), 8 + 2 + 3 * 12 + 4)
    index += struct.pack("<L", 0) + entries
    body = b"MPF\x00" + index
    segment = b"\xff\xe2" + struct.pack(">H", 2 + len(body)) + body
    return first[:2] + segment + first[2:] + more * len(kinds)


@pytest.mark.parametrize(
    ("kinds", "xmp"),
    [
        ((0x020002,), b""),
        ((0x000000,), b""),
        ((0x000000,), b'<x hdrgm:Version="1.0"/>'),
        ((0x010002, 0x000000), b""),
    ],
    ids=["stereo", "gain map", "Ultra HDR", "preview and gain map"],
)
def test_a_jpeg_of_several_pictures_is_refused(
    encoded: Encoded, kinds: tuple[int, ...], xmp: bytes
) -> None:
    text = read_error(jpeg_with_pictures(encoded, *kinds, xmp=xmp))
    assert f"holds {1 + len(kinds)} pictures" in text
    image = read_image(jpeg_with_pictures(encoded, *kinds, xmp=xmp), first_only=True)
    np.testing.assert_array_equal(image.pixels, read_image(encoded("RGB", "JPEG")).pixels)
    assert f"holds {1 + len(kinds)} pictures" in image.notes[0]


@pytest.mark.parametrize("kinds", [(0x010001,), (0x010001, 0x010002), ()])
def test_a_jpeg_with_previews_of_itself_is_read(encoded: Encoded, kinds: tuple[int, ...]) -> None:
    image = read_image(jpeg_with_pictures(encoded, *kinds))
    np.testing.assert_array_equal(image.pixels, read_image(encoded("RGB", "JPEG")).pixels)


def test_a_gain_map_that_no_index_names_is_refused(encoded: Encoded) -> None:
    xmp = b'<x xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>'
    data, more = encoded("RGB", "JPEG", xmp=xmp), encoded("L", "JPEG")
    text = read_error(data + more)
    assert re.search(r"gain map \(Ultra HDR\).*lost; ", text)
    assert "--first-only" in text
    image = read_image(data + more, first_only=True)
    assert "gain map" in image.notes[0]
    # What is left of such a file has none.
    assert read_image(encode_image(image)).notes == ()
    assert read_image(data).notes == ()


def test_a_jpeg_with_a_broken_index_is_read(encoded: Encoded) -> None:
    data = encoded("RGB", "JPEG")
    segment = b"\xff\xe2\x00\x10MPF\x00II*\x00\xff\xff\xff\x7f??"
    assert read_image(data[:2] + segment + data[2:]).format == "JPEG"


def test_pixels_take_no_second_copy_of_memory() -> None:
    stream = io.BytesIO()
    PillowImage.linear_gradient("L").resize((2000, 1500)).convert("RGB").save(stream, "JPEG")
    data = stream.getvalue()
    tracemalloc.start()
    image = read_image(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * image.pixels.nbytes + len(data)
