"""What a picture is on its way from file to file: pixels, and all that must survive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kerasdenoise.errors import UsageError

Resolution = tuple[float, float] | None


def sample_type(bit_depth: int) -> np.dtype:
    """Returns the type of a file's samples: of 32 bits they are floating-point numbers."""
    return np.dtype("float32" if bit_depth == 32 else f"uint{bit_depth}")


@dataclass(frozen=True)
class Metadata:
    """What travels untouched from input to output.

    Attributes:
        icc: The ICC color profile.
        exif: The EXIF block from its TIFF header on, without the `Exif` marker that JPEG puts
            before it. The orientation tag lives here; pixels are never rotated.
        xmp: The XMP packet.
        xmp_extension: What JPEG has of XMP beyond one segment, as the bodies of its segments.
        photoshop: Photoshop's resources, in which JPEG and TIFF have IPTC data.
        comments: JPEG's comments.
        color: PNG's chunks that say what its colors are (`gAMA`, `cHRM`, `sRGB`, `cICP`,
            `mDCV`, `cLLI`), as names and contents.
        texts: PNG's text chunks, but for XMP and EXIF, and others that a change of pixels leaves
            true, as names and contents.
        segments: JPEG's application segments that are none of the above, as markers and contents.
        density: Pixels across and down on a length of which the unit is not known, which says how
            wide a pixel is for its height.
        dpi: Horizontal and vertical dots per inch, where the file states them outside EXIF.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    xmp_extension: tuple[bytes, ...] = ()
    photoshop: bytes | None = None
    comments: tuple[bytes, ...] = ()
    color: tuple[tuple[bytes, bytes], ...] = ()
    texts: tuple[tuple[bytes, bytes], ...] = ()
    segments: tuple[tuple[int, bytes], ...] = ()
    density: tuple[float, float] | None = None
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Image:
    """A picture, and what is needed to write it back as it came.

    Attributes:
        pixels: float32 of shape (height, width, channels), one channel for gray or three for
            RGB, nominally in [0, 1]. Colors are not multiplied by alpha. Where it was asked for
            (`read_image(exact=True)`), the file's integers of 8 or 16 bits on their whole range,
            for large pictures: to be denoised and written, and for nothing else.
        alpha: Shape (height, width) in the file's own type, or None.
        bit_depth: Bits per sample of the file it came from and goes to: 8 or 16, or 32 for
            floating-point numbers.
        format: A key of `formats.FORMATS`.
        metadata: What travels untouched.
        lossless: Whether the file was coded without loss. It decides only where a format
            knows both ways, as WebP does.
        coding: How its own format coded it: what the format's writer takes to do so again.
        notes: What of the file is not in the picture or was changed, in words.

    Raises:
        UsageError: The arrays have other shapes or types than these.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    bit_depth: int = 8
    format: str = "PNG"
    metadata: Metadata = Metadata()
    lossless: bool = False
    coding: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
            raise UsageError("pixels", f"shape {shape} is not (height, width, 1 or 3)")
        if self.pixels.dtype not in (np.float32, sample_type(self.bit_depth)):
            raise UsageError(
                "pixels",
                f"type {self.pixels.dtype} is neither float32 nor {sample_type(self.bit_depth)}",
            )
        if self.alpha is None:
            return
        if self.alpha.shape != shape[:2]:
            raise UsageError("alpha", f"shape {self.alpha.shape} is not {shape[:2]}")
        if self.alpha.dtype != sample_type(self.bit_depth):
            raise UsageError(
                "alpha", f"type {self.alpha.dtype} is not {sample_type(self.bit_depth)}"
            )

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.pixels.shape[1]

    @property
    def gray(self) -> bool:
        """Whether there is one channel instead of three."""
        return self.pixels.shape[2] == 1

    def with_pixels(self, pixels: np.ndarray) -> Image:
        """Returns the same picture with other pixels.

        Args:
            pixels: Of this picture's shape, float32 or the type of its file's samples.

        Raises:
            UsageError: The shape or the type is another one.
        """
        if pixels.shape != self.pixels.shape:
            raise UsageError("pixels", f"shape {pixels.shape} is not {self.pixels.shape}")
        return replace(self, pixels=pixels)
