"""The picture formats, one table row each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Bytes that must stand at these offsets of a file.
Signature = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Format:
    """What a file format is called, how it is recognized and what it can hold.

    Attributes:
        name: Its key in `FORMATS`, which is also Pillow's name of it where Pillow knows it.
        title: Its name as people write it.
        extensions: File name suffixes in lower case, the usual one first.
        mime: Its media type.
        signature: What its files begin with.
        bit_depths: Bits per sample that can be read and written; 32 are floating-point numbers.
        gray: Whether it has gray pictures; if not, gray is written as RGB.
        alpha: Whether it can carry an alpha channel.
        max_side: Largest height or width in pixels.
        gray_alpha: Whether gray pictures have alpha too; if not, they are then written as RGB.
        more_signatures: What else its files may begin with.
        lossy: The coder's options for coding with loss, or None where that does not exist.
        lossless: The coder's options for coding without loss, or None.
        exact_alpha: More options where there is an alpha channel, which is never coded with loss.
        metadata: Which fields of `Metadata` it keeps.
        refused: What it can hold beside, and is refused for, in words.
        extra: The package's extra that must be installed for it, or None.
        written_as: The format that its pictures are written in, where that is another one.
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
    gray_alpha: bool = False
    more_signatures: tuple[Signature, ...] = ()
    lossy: Mapping[str, object] | None = None
    lossless: Mapping[str, object] | None = None
    exact_alpha: Mapping[str, object] = field(default_factory=dict)
    metadata: frozenset[str] = frozenset()
    refused: str = ""
    extra: str | None = None
    written_as: str | None = None

    def save_options(
        self, *, lossless: bool, quality: int | None = None, alpha: bool = False
    ) -> dict[str, object]:
        """Returns the coder's options: without loss if asked for and possible, else with.

        Args:
            lossless: Whether the picture's own file was coded without loss.
            quality: 1 to 100 for formats with loss; the format's usual one if None.
            alpha: Whether there is an alpha channel.
        """
        options = (self.lossless or self.lossy) if lossless else (self.lossy or self.lossless)
        chosen = dict(options or {})
        if quality is not None and "quality" in chosen:
            chosen["quality"] = quality
        return chosen | (dict(self.exact_alpha) if alpha else {})


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
            metadata=frozenset(
                {
                    *("icc", "exif", "xmp", "xmp_extension", "photoshop", "comments"),
                    *("segments", "density", "dpi"),
                }
            ),
            refused="CMYK; 12 bits; gain maps (Ultra HDR), stereo pairs, panoramas",
        ),
        Format(
            name="PNG",
            title="PNG",
            extensions=(".png",),
            mime="image/png",
            signature=((0, b"\x89PNG\r\n\x1a\n"),),
            bit_depths=(8, 16),
            gray=True,
            alpha=True,
            gray_alpha=True,
            max_side=2**31 - 1,
            lossless={},
            metadata=frozenset({"icc", "exif", "xmp", "color", "texts", "density", "dpi"}),
            refused="animations",
        ),
        Format(
            name="TIFF",
            title="TIFF",
            extensions=(".tif", ".tiff"),
            mime="image/tiff",
            signature=((0, b"II*\x00"),),
            more_signatures=(((0, b"MM\x00*"),), ((0, b"II+\x00"),), ((0, b"MM\x00+"),)),
            bit_depths=(8, 16, 32),
            gray=True,
            alpha=True,
            gray_alpha=True,
            max_side=2**31 - 1,
            lossless={},
            metadata=frozenset({"icc", "exif", "xmp", "photoshop", "density", "dpi"}),
            refused="several pages; CMYK, Lab; 12 bits, integers of 64 bits",
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
            metadata=frozenset({"icc", "exif", "xmp"}),
            refused="animations",
        ),
        Format(
            name="AVIF",
            title="AVIF",
            extensions=(".avif",),
            mime="image/avif",
            signature=((4, b"ftypavif"),),
            more_signatures=(((4, b"ftypavis"),),),
            bit_depths=(8,),
            gray=True,
            alpha=True,
            max_side=65536,
            lossy={"quality": 95, "subsampling": "4:4:4"},
            exact_alpha={"quality": 100},
            metadata=frozenset({"icc", "exif", "xmp"}),
            refused="animations; 10 and 12 bits; gain maps and depth maps; HDR",
        ),
        Format(
            name="HEIF",
            title="HEIC",
            extensions=(".heic", ".heif"),
            mime="image/heif",
            signature=((4, b"ftyphei"),),
            more_signatures=(((4, b"ftyphev"),), ((4, b"ftypmif1"),)),
            bit_depths=(8,),
            gray=True,
            alpha=True,
            max_side=16384,
            lossy={"quality": 95, "chroma": 444},
            exact_alpha={"quality": -1},
            metadata=frozenset({"icc", "exif", "xmp"}),
            refused="several pictures; 10 and 12 bits; gain maps and depth maps; HDR",
            extra="heif",
        ),
        Format(
            name="BMP",
            title="BMP",
            extensions=(".bmp",),
            mime="image/bmp",
            # The length of the second header; before it, OS/2 has where a pointer points.
            signature=((0, b"BM"), (15, b"\x00\x00\x00")),
            bit_depths=(8,),
            gray=True,
            alpha=True,
            max_side=2**31 - 1,
            lossless={},
            metadata=frozenset({"icc", "dpi"}),
        ),
        # Developed rather than decoded, and so written as what holds all of it.
        Format(
            name="RAW",
            title="camera raw",
            extensions=(
                *(".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos"),
                *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".srw", ".x3f"),
                *(".crw", ".dcr", ".fff", ".gpr", ".ori", ".sr2", ".srf"),
            ),
            mime="image/x-dcraw",
            signature=((4, b"ftypcrx"),),
            more_signatures=(
                ((0, b"FUJIFILMCCD-RAW"),),
                ((0, b"IIRO"),),
                ((0, b"IIRS"),),
                ((0, b"MMOR"),),
                ((0, b"IIU\x00"),),
                ((0, b"\x00MRM"),),
                ((0, b"FOVb"),),
                ((6, b"HEAPCCDR"),),
            ),
            bit_depths=(16,),
            gray=False,
            alpha=False,
            max_side=2**31 - 1,
            metadata=frozenset({"exif"}),
            extra="raw",
            written_as="TIFF",
        ),
    )
}

# Named in the refusal, so that it says more than "not a picture".
_FOREIGN: tuple[tuple[str, Signature], ...] = (
    ("GIF", ((0, b"GIF8"),)),
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
    return next(
        (
            row
            for row in FORMATS.values()
            if any(_matches(data, part) for part in (row.signature, *row.more_signatures))
        ),
        None,
    )


def foreign_format(data: bytes) -> str | None:
    """Returns the name of a picture format that is recognized, but not handled."""
    return next((name for name, signature in _FOREIGN if _matches(data, signature)), None)


def suffix_of_result(source: str | os.PathLike[str]) -> str:
    """Returns the suffix for a file made of a source: its own, unless no such file is written.

    Camera raw is developed, and becomes a TIFF file.

    Args:
        source: The source's name; the file need not exist.
    """
    row = format_of_suffix(source)
    if row is None or row.written_as is None:
        return Path(source).suffix
    return FORMATS[row.written_as].extensions[0]


def known_titles() -> str:
    """Returns the handled formats' names as a list in words."""
    return _in_words([row.title for row in FORMATS.values()])


def known_suffixes() -> str:
    """Returns the file name suffixes that can be written as a list in words."""
    rows = [row for row in FORMATS.values() if row.written_as is None]
    return _in_words([suffix for row in rows for suffix in row.extensions])


def _in_words(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _matches(data: bytes, signature: Signature) -> bool:
    return all(data.startswith(part, offset) for offset, part in signature)
