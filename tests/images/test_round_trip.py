from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import ImageCms

from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image, write_image

Encoded = Callable[..., bytes]

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Larger than a JPEG segment holds.
LARGE = SRGB + bytes(range(256)) * 300
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"> Größe\n</x:xmpmeta>   \n'.encode()


def exif_of(orientation: int = 6, note: bytes = b"") -> bytes:
    """An EXIF block as a camera writes it, which Pillow would lay out in another way."""
    entries = [
        (0x0112, 3, 1, orientation.to_bytes(2, "big") + b"\x00\x00"),
        (0x8298, 2, 4, b"me!\x00"),
    ]
    block = b"MM\x00*\x00\x00\x00\x08" + len(entries).to_bytes(2, "big")
    for tag, kind, count, value in entries:
        block += tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + count.to_bytes(4, "big") + value
    return block + b"\x00\x00\x00\x00" + b"odd padding" + note


# A file format, how it is coded, the mode that goes in, and the mode that comes out.
CASES = [
    ("JPEG", {"quality": 95}, "L", "L"),
    ("JPEG", {"quality": 95}, "RGB", "RGB"),
    ("PNG", {}, "1", "L"),
    ("PNG", {}, "L", "L"),
    ("PNG", {}, "LA", "LA"),
    ("PNG", {}, "RGB", "RGB"),
    ("PNG", {}, "RGBA", "RGBA"),
    ("PNG", {}, "P", "RGB"),
    ("PNG", {}, "P+tRNS", "RGBA"),
    ("WEBP", {"quality": 95, "exact": True}, "RGB", "RGB"),
    ("WEBP", {"quality": 95, "exact": True}, "RGBA", "RGBA"),
    ("WEBP", {"lossless": True, "exact": True}, "RGB", "RGB"),
    ("WEBP", {"lossless": True, "exact": True}, "RGBA", "RGBA"),
]
BLOCKS = {
    "nothing": {},
    "icc": {"icc_profile": SRGB},
    "large icc": {"icc_profile": LARGE},
    "exif": {"exif": exif_of()},
    "xmp": {"xmp": XMP},
    "dpi": {"dpi": (300, 240)},
    "all": {"icc_profile": SRGB, "exif": exif_of(), "xmp": XMP, "dpi": (72, 72)},
}


def save_options(file_format: str, blocks: dict[str, Any]) -> dict[str, Any]:
    """How Pillow itself is told to write these blocks into a file of this format."""
    options = dict(blocks)
    if file_format == "JPEG" and "exif" in options:
        options["exif"] = b"Exif\x00\x00" + exif_of()
    if file_format == "PNG" and "xmp" in options:
        from PIL.PngImagePlugin import PngInfo

        chunks = PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
        options["pnginfo"] = chunks
        del options["xmp"]
    return options


def shown(data: bytes) -> PillowImage.Image:
    picture = PillowImage.open(io.BytesIO(data))
    picture.load()
    return picture


def pixels_of(picture: PillowImage.Image, mode: str) -> np.ndarray:
    return np.asarray(picture.convert(mode)).astype(int).reshape(picture.height, picture.width, -1)


@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize(
    ("file_format", "coding", "mode", "out"),
    CASES,
    ids=[
        f"{name}-{mode}{'-lossless' if 'lossless' in how else ''}" for name, how, mode, _ in CASES
    ],
)
def test_everything_survives(
    tmp_path: Path,
    encoded: Encoded,
    file_format: str,
    coding: dict[str, Any],
    mode: str,
    out: str,
    blocks: str,
) -> None:
    given_blocks = BLOCKS[blocks]
    source = tmp_path / f"in.{file_format.lower()}"
    source.write_bytes(
        encoded(mode, file_format, **coding, **save_options(file_format, given_blocks))
    )
    target = tmp_path / f"out.{file_format.lower()}"
    write_image(read_image(source), target)

    before, after = shown(source.read_bytes()), shown(target.read_bytes())
    assert (after.format, after.mode, after.size) == (file_format, out, before.size)
    difference = np.abs(pixels_of(after, out) - pixels_of(before, out))
    if file_format == "PNG" or "lossless" in coding:
        assert not difference.any()
    elif out.endswith("A"):
        assert not difference[..., -1].any()
    assert difference.mean() < 2

    assert after.info.get("icc_profile") == given_blocks.get("icc_profile")
    exif = after.info.get("exif")
    assert (exif and exif.removeprefix(b"Exif\x00\x00")) == given_blocks.get("exif")
    assert after.getexif().get(0x0112) == (6 if "exif" in given_blocks else None)
    assert after.info.get("xmp") == given_blocks.get("xmp")
    if file_format != "WEBP":
        dpi = after.info.get("dpi") if after.info.get("jfif_unit", 1) else None
        expected = given_blocks.get("dpi")
        assert dpi == (pytest.approx(expected, abs=0.01) if expected else None)
    # A second time nothing changes any more.
    again = read_image(target)
    assert again.metadata == read_image(encode_image(again)).metadata


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_tag_stays_and_nothing_is_rotated(
    encoded: Encoded, file_format: str, orientation: int
) -> None:
    exif = exif_of(orientation)
    marker = b"Exif\x00\x00" if file_format == "JPEG" else b""
    data = encoded("RGB", file_format, exif=marker + exif)
    image = read_image(data)
    assert image.pixels.shape == (23, 31, 3)
    after = shown(encode_image(image))
    assert after.size == (31, 23)
    assert after.getexif()[0x0112] == orientation


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP"])
def test_metadata_moves_between_formats(encoded: Encoded, source: str, file_format: str) -> None:
    blocks = {"icc_profile": SRGB, "exif": exif_of(), "xmp": XMP}
    image = read_image(encoded("RGB", source, **save_options(source, blocks)))
    target = Image(image.pixels, format=file_format, metadata=image.metadata)
    assert read_image(encode_image(target)).metadata == Metadata(SRGB, exif_of(), XMP)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_exif_larger_than_a_jpeg_segment_survives(file_format: str) -> None:
    exif = exif_of(note=bytes(range(256)) * 600)
    image = Image(np.zeros((3, 4, 3), np.float32), format=file_format, metadata=Metadata(exif=exif))
    assert read_image(encode_image(image)).metadata.exif == exif


def test_dpi_is_not_made_up_from_exif(encoded: Encoded) -> None:
    data = encoded("RGB", "JPEG", exif=b"Exif\x00\x00" + exif_of())
    assert read_image(data).metadata.dpi is None


@pytest.mark.parametrize("dpi", [(0, 0), (1e6, 1e6), (-1, 72)])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_dpi_that_a_format_cannot_state_is_left_out_or_exact(
    file_format: str, dpi: tuple[float, float]
) -> None:
    image = Image(np.zeros((3, 4, 1), np.float32), format=file_format, metadata=Metadata(dpi=dpi))
    found = read_image(encode_image(image)).metadata.dpi
    assert found is None or found == pytest.approx(dpi)


def test_exif_that_imagemagick_wrote_as_text_is_found(encoded: Encoded) -> None:
    from PIL.PngImagePlugin import PngInfo

    block = b"Exif\x00\x00" + exif_of(8)
    text = PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n")
    image = read_image(encoded("RGB", "PNG", pnginfo=text))
    assert image.metadata.exif == exif_of(8)
    assert shown(encode_image(image)).getexif()[0x0112] == 8


def test_a_gray_picture_becomes_neutral_rgb_in_webp() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8, 1)
    image = read_image(encode_image(Image(ramp, format="WEBP", lossless=True)))
    assert image.pixels.shape == (8, 8, 3)
    np.testing.assert_array_equal(image.pixels[..., 0], image.pixels[..., 1])
    np.testing.assert_array_equal(image.pixels[..., 0], image.pixels[..., 2])


@settings(deadline=None)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    channels=st.sampled_from([1, 3]),
    alpha=st.booleans(),
    file_format=st.sampled_from(["PNG", "WEBP"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_lossless_files_are_exact(
    height: int, width: int, channels: int, alpha: bool, file_format: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    # Few values, so that fully transparent and fully opaque areas come up.
    mask = rng.choice(np.array([0, 1, 128, 255], np.uint8), (height, width)) if alpha else None
    image = Image(
        samples.astype(np.float32) / np.float32(255), mask, format=file_format, lossless=True
    )
    again = read_image(encode_image(image))
    gray = channels == 1 and file_format == "PNG"
    assert again.pixels.shape == (height, width, 1 if gray else 3)
    np.testing.assert_array_equal(
        again.pixels, image.pixels if gray else np.broadcast_to(image.pixels, (height, width, 3))
    )
    if mask is not None and not (file_format == "WEBP" and (mask == 255).all()):
        np.testing.assert_array_equal(again.alpha, mask)
    else:  # WebP's encoder leaves out an alpha channel that hides nothing
        assert again.alpha is None
    assert again.lossless
