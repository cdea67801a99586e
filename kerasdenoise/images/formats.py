"""The picture formats, one table row each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Bytes that must stand at these offsets of a file.
Signature = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Format:
    """What a file format is called, how it is recognized and what it can hold.

    Attributes:
        name: Its key in `FORMATS`, which is also Pillow's name of it.
        title: Its name as people write it.
        extensions: File name suffixes in lower case, the usual one first.
        mime: Its media type.
        signature: What its files begin with.
        bit_depths: Bits per sample that can be written.
        gray: Whether it has gray pictures; if not, gray is written as RGB.
        alpha: Whether it can carry an alpha channel.
        max_side: Largest height or width in pixels.
        lossy: Pillow's options for coding with loss, or None where that does not exist.
        lossless: Pillow's options for coding without loss, or None.
    """

    name: str
    title: str
    extensions: tuple[str, ...]
    mime: str
    signature: Signature
    bit_depths: tuple[int, ...]
    gray: bool
    alpha: bool
    max_side: int
    lossy: Mapping[str, object] | None = None
    lossless: Mapping[str, object] | None = None

    def save_options(self, *, lossless: bool) -> dict[str, object]:
        """Returns Pillow's options: without loss if asked for and possible, else with.

        Args:
            lossless: Whether the picture's own file was coded without loss.
        """
        options = (self.lossless or self.lossy) if lossless else (self.lossy or self.lossless)
        return dict(options or {})


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            name="JPEG",
            title="JPEG",
            extensions=(".jpg", ".jpeg", ".jpe", ".jfif"),
            mime="image/jpeg",
            signature=((0, b"\xff\xd8\xff"),),
            bit_depths=(8,),
            gray=True,
            alpha=False,
            max_side=65500,
            # A denoised file at the usual 75 and 4:2:0 would get new artifacts.
            lossy={"quality": 95, "subsampling": "4:4:4"},
        ),
        Format(
            name="PNG",
            title="PNG",
            extensions=(".png",),
            mime="image/png",
            signature=((0, b"\x89PNG\r\n\x1a\n"),),
            bit_depths=(8,),
            gray=True,
            alpha=True,
            max_side=2**31 - 1,
            lossless={},
        ),
        Format(
            name="WEBP",
            title="WebP",
            extensions=(".webp",),
            mime="image/webp",
            signature=((0, b"RIFF"), (8, b"WEBP")),
            bit_depths=(8,),
            gray=False,
            alpha=True,
            max_side=16383,
            # `exact` keeps the color of pixels that are fully transparent.
            lossy={"quality": 95, "exact": True},
            lossless={"lossless": True, "exact": True},
        ),
    )
}

# Named in the refusal, so that it says more than "not a picture".
_FOREIGN: tuple[tuple[str, Signature], ...] = (
    ("TIFF", ((0, b"II*\x00"),)),
    ("TIFF", ((0, b"MM\x00*"),)),
    ("TIFF", ((0, b"II+\x00"),)),
    ("TIFF", ((0, b"MM\x00+"),)),
    ("GIF", ((0, b"GIF8"),)),
    ("BMP", ((0, b"BM"), (6, b"\x00\x00\x00\x00"))),
    ("AVIF", ((4, b"ftypavif"),)),
    ("AVIF", ((4, b"ftypavis"),)),
    ("HEIF", ((4, b"ftyphei"),)),
    ("HEIF", ((4, b"ftyphev"),)),
    ("HEIF", ((4, b"ftypmif1"),)),
    ("camera raw", ((4, b"ftypcrx"),)),
    ("camera raw", ((0, b"FUJIFILMCCD-RAW"),)),
    ("camera raw", ((0, b"IIRO"),)),
    ("camera raw", ((0, b"IIU\x00"),)),
    ("JPEG XL", ((0, b"\xff\x0a"),)),
    ("JPEG XL", ((4, b"JXL \r\n"),)),
    ("JPEG 2000", ((4, b"jP  \r\n"),)),
    ("JPEG 2000", ((0, b"\xff\x4f\xff\x51"),)),
    ("Photoshop", ((0, b"8BPS"),)),
    ("OpenEXR", ((0, b"\x76\x2f\x31\x01"),)),
)


def format_of_suffix(path: str | os.PathLike[str]) -> Format | None:
    """Returns the format that a file name's suffix stands for, in any case of letters.

    Args:
        path: A file name; the file need not exist.

    Returns:
        The format, or None where the suffix is unknown or missing.
    """
    suffix = Path(path).suffix.lower()
    return next((row for row in FORMATS.values() if suffix in row.extensions), None)


def format_of_content(data: bytes) -> Format | None:
    """Returns the format that a file's first bytes show, whatever its name says."""
    return next((row for row in FORMATS.values() if _matches(data, row.signature)), None)


def foreign_format(data: bytes) -> str | None:
    """Returns the name of a picture format that is recognized, but not handled."""
    return next((name for name, signature in _FOREIGN if _matches(data, signature)), None)


def known_titles() -> str:
    """Returns the handled formats' names as a list in words."""
    return _in_words([row.title for row in FORMATS.values()])


def known_suffixes() -> str:
    """Returns the handled file name suffixes as a list in words."""
    return _in_words([suffix for row in FORMATS.values() for suffix in row.extensions])


def _in_words(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _matches(data: bytes, signature: Signature) -> bool:
    return all(data.startswith(part, offset) for offset, part in signature)
