"""AVIF, HEIC, BMP and camera raw."""

from __future__ import annotations

import io
import os
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError, OutputError
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image, write_image
from tests.reliability.picture_files import make_files, make_raw

Encoded = Callable[..., bytes]


def smooth(channels: int = 3) -> np.ndarray:
    down, across = np.mgrid[:24, :40] / 64
    return np.stack([0.2 + down, 0.1 + across, 0.6 - down], axis=-1)[..., :channels].astype(
        np.float32
    )


def patch(data: bytes, kind: bytes, change: Callable[[bytearray], None]) -> bytes:
    """Changes what is in the first box of a kind, without changing its length."""
    at = data.index(kind)
    (size,) = struct.unpack_from(">L", data, at - 4)
    body = bytearray(data[at + 4 : at - 4 + size])
    change(body)
    return data[: at + 4] + bytes(body) + data[at - 4 + size :]


@pytest.mark.parametrize("channels", [1, 3])
def test_avif_is_close_and_gray_stays_gray(channels: int) -> None:
    image = Image(smooth(channels), format="AVIF")
    again = read_image(encode_image(image))
    assert again.pixels.shape == image.pixels.shape
    np.testing.assert_allclose(again.pixels, image.pixels, atol=6 / 255)


def ten_bits(body: bytearray) -> None:
    body[2] |= 0x40


def ten_bits_a_sample(body: bytearray) -> None:
    body[5] = 10


def hybrid_log_gamma(body: bytearray) -> None:
    body[4:8] = struct.pack(">HH", 9, 18)


@pytest.mark.parametrize(
    ("kind", "change", "text"),
    [
        (b"av1C", ten_bits, "has 10 bits"),
        (b"pixi", ten_bits_a_sample, "has 10 bits"),
        (b"colr", hybrid_log_gamma, "sRGB"),
    ],
)
def test_what_avif_would_lose_is_refused(
    kind: bytes, change: Callable[[bytearray], None], text: str
) -> None:
    data = encode_image(Image(smooth(), format="AVIF"))
    read_image(data)
    with pytest.raises(InputError, match=text):
        read_image(patch(data, kind, change))


def test_a_gain_map_is_refused_or_left_out_with_a_note() -> None:
    data = encode_image(Image(smooth(), np.full((24, 40), 7, np.uint8), format="AVIF"))
    alpha = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
    assert alpha in data
    other = data.replace(alpha, b"urn:com:apple:photo:2020:aux:hdrgainmap".ljust(len(alpha), b"\0"))
    with pytest.raises(InputError, match="gain map"):
        read_image(other)
    assert "gain map" in read_image(other, first_only=True).notes[0]


def test_an_animated_avif_is_refused(make_picture: Callable[..., PillowImage.Image]) -> None:
    stream = io.BytesIO()
    frames = [make_picture("RGB"), make_picture("L").convert("RGB")]
    frames[0].save(stream, "AVIF", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="is an animation"):
        read_image(stream.getvalue())


def test_a_cut_avif_is_an_error() -> None:
    data = encode_image(Image(smooth(), format="AVIF"))
    for length in range(12, len(data), 7):
        with pytest.raises(InputError):
            read_image(data[:length])


def test_heic_is_close_and_gray_stays_gray() -> None:
    pytest.importorskip("pillow_heif")
    for channels in (1, 3):
        image = Image(smooth(channels), format="HEIF")
        again = read_image(encode_image(image))
        assert again.format == "HEIF"
        assert again.pixels.shape == image.pixels.shape
        np.testing.assert_allclose(again.pixels, image.pixels, atol=6 / 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_heic_comes_back_as_it_is_shown(orientation: int) -> None:
    pytest.importorskip("pillow_heif")
    from PIL import ImageOps

    from kerasdenoise.images.tags import ORIENTATION, Tag, pack_block

    exif = pack_block({ORIENTATION: Tag(3, 1, orientation.to_bytes(2, "big"))}, ">")
    image = Image(smooth(), format="HEIF", metadata=Metadata(exif=exif))
    tagged = PillowImage.fromarray(np.rint(smooth() * 255).astype(np.uint8))
    tagged.getexif()[ORIENTATION] = orientation
    upright = np.asarray(ImageOps.exif_transpose(tagged))
    again = read_image(encode_image(image))
    np.testing.assert_allclose(again.pixels * 255, upright, atol=8)
    block = PillowImage.Exif()
    block.load(again.metadata.exif or b"")
    assert block.get(ORIENTATION, 1) == 1
    # Nor does it turn once more.
    assert read_image(encode_image(again)).pixels.shape == again.pixels.shape


def test_several_pictures_in_a_heic_are_refused() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    picture = PillowImage.fromarray(np.rint(smooth() * 255).astype(np.uint8))
    file = pillow_heif.from_pillow(picture)
    file.add_from_pillow(picture)
    file.save(stream)
    with pytest.raises(InputError, match="holds 2 pictures"):
        read_image(stream.getvalue())
    assert read_image(stream.getvalue(), first_only=True).notes


@pytest.mark.parametrize(
    ("module", "extra", "data"),
    [
        ("pillow_heif", "heif", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"),
        ("rawpy", "raw", b"FUJIFILMCCD-RAW 0201"),
    ],
)
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, extra: str, data: bytes
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError) as caught:
        read_image(data)
    assert f'pip install "kerasdenoise[{extra}]"' in caught.value.remedy
    if extra == "heif":
        with pytest.raises(OutputError, match=r"pillow_heif.*not installed"):
            write_image(Image(smooth()), tmp_path / "a.heic")
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P"])
def test_bmp_is_what_pillow_shows(encoded: Encoded, mode: str) -> None:
    if mode == "RGBA":
        data = encode_image(replace(read_image(encoded("RGBA", "PNG")), format="BMP"))
    else:
        data = encoded(mode, "BMP")
    picture = PillowImage.open(io.BytesIO(data))
    out = {"1": "L", "P": "RGB"}.get(mode, mode)
    expected = np.asarray(picture.convert(out)).reshape(23, 31, -1)
    image = read_image(data)
    again = PillowImage.open(io.BytesIO(encode_image(image)))
    assert (again.format, again.mode) == ("BMP", out)
    np.testing.assert_array_equal(np.asarray(again).reshape(23, 31, -1), expected)


def test_what_bmp_does_not_call_alpha_is_said_to_be_left_out(encoded: Encoded) -> None:
    image = read_image(encoded("RGBA", "BMP"))
    assert image.alpha is None
    assert [note for note in image.notes if "dropped" in note]
    assert read_image(encoded("RGB", "BMP")).notes == ()
    opaque = PillowImage.new("RGBA", (5, 7), (1, 2, 3, 255))
    stream = io.BytesIO()
    opaque.save(stream, "BMP")
    assert read_image(stream.getvalue()).notes == ()


def test_a_bmp_cut_anywhere_is_an_error(encoded: Encoded) -> None:
    data = encoded("RGB", "BMP")
    for length in range(10, len(data), 13):
        with pytest.raises(InputError):
            read_image(data[:length])


def test_no_profile_is_lost_of_a_cut_bmp() -> None:
    image = Image(smooth(), format="BMP", metadata=Metadata(icc=bytes(range(100))))
    data = encode_image(image)
    assert read_image(data).metadata.icc == bytes(range(100))
    with pytest.raises(InputError, match="is truncated"):
        read_image(data[:-1])


def test_camera_raw_is_developed_to_16_bits(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "a.dng"
    path.write_bytes(make_raw())
    image = read_image(path)
    assert (image.format, image.bit_depth, image.pixels.shape) == ("TIFF", 16, (64, 96, 3))
    assert "developed" in image.notes[0]
    assert image.metadata.exif is not None
    assert b"Maker\x00" in image.metadata.exif
    half = read_image(path, half_size=True)
    assert half.pixels.shape == (32, 48, 3)
    # The same picture: means of the same cells.
    assert half.pixels.mean() == pytest.approx(image.pixels.mean(), abs=0.1)
    write_image(image, tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, image.pixels)
    with pytest.raises(OutputError, match=r"raw.* written"):
        write_image(image, tmp_path / "b.dng")


def test_a_cut_raw_file_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rawpy")
    data = make_raw()
    for length in range(4, len(data), 501):
        with pytest.raises(InputError):
            read_image(data[:length])
    assert capfd.readouterr().err == ""


def test_what_others_write_while_a_raw_file_is_developed_is_no_damage(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rawpy = pytest.importorskip("rawpy")

    class Raw:
        """A file beside which a progress bar is drawn."""

        def __init__(self, raw: Any) -> None:
            self._raw = raw

        def __enter__(self) -> Raw:
            return self

        def __exit__(self, *_: object) -> None:
            self._raw.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._raw, name)

        def postprocess(self, **options: Any) -> np.ndarray:
            os.write(2, b"photo.dng 50%\rphoto.dng 99%\n")
            return self._raw.postprocess(**options)

    read = rawpy.imread
    monkeypatch.setattr(rawpy, "imread", lambda stream: Raw(read(stream)))
    assert read_image(make_raw()).bit_depth == 16
    assert capfd.readouterr().err == "photo.dng 50%\rphoto.dng 99%\n"


def test_the_seeds_of_all_damage_can_be_read() -> None:
    pytest.importorskip("pillow_heif")
    pytest.importorskip("rawpy")
    from kerasdenoise.images.formats import FORMATS

    for name in FORMATS:
        files = list(make_files(name))
        assert files
        assert all(read_image(data) for data in files)
