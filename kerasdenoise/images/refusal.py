"""Why a file is refused, before its name is known, and the limits that all readers share."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

MAX_PIXELS = 1_000_000_000
"""Pictures of more pixels than this are refused as decompression bombs."""

# Above so many pixels, a file of photos has at least a byte for so many of them.
_FEW_PIXELS = 64_000_000
_PIXELS_PER_BYTE = 2000
# The longest profile or text that is inflated: real ones end far below.
_LONGEST_BLOCK = 2**26

COPY_AGAIN = "copy it again from where it came"


class RefusedError(Exception):
    """Why a file is refused, before the file's name is known."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


@dataclass
class Reading:
    """How a file is to be read, and what was found on the way.

    Attributes:
        half_size: Whether camera raw is developed at half its height and width.
        first_only: Whether what cannot be kept beside the first picture may be left out.
        exact: Whether samples stay the file's own integers, where colors can.
        notes: What is left out or changed, in words.
    """

    half_size: bool = False
    first_only: bool = False
    exact: bool = False
    notes: list[str] = field(default_factory=list)

    def leave_out(self, cause: str, remedy: str) -> None:
        """Notes that there is more than one picture, or refuses the file for it."""
        if not self.first_only:
            raise RefusedError(cause, f"{remedy}, or `denoise --first-only` does the first alone")
        self.notes.append(f"{cause}: the rest is left out")


def check_size(width: int, height: int, size: int) -> None:
    """Refuses pictures that are too large, or too large for what their file has in it.

    Args:
        width: Pixels in a row.
        height: Rows.
        size: Bytes of the file.
    """
    if width < 1 or height < 1:
        raise RefusedError("has no pixels", COPY_AGAIN)
    if width * height > MAX_PIXELS:
        raise RefusedError(
            f"has {width} x {height} pixels, "
            f"more than the limit of {MAX_PIXELS // 10**6} megapixels",
            "cut it into smaller pictures",
        )
    if width * height > max(_FEW_PIXELS, _PIXELS_PER_BYTE * size):
        raise RefusedError(
            f"claims {width} x {height} pixels in {size} bytes, as no photo does", COPY_AGAIN
        )


def inflate(data: bytes | memoryview) -> bytes:
    """Inflates a block of metadata, which may be a bomb.

    Raises:
        ValueError: It is damaged, or longer than any real one.
    """
    stream = zlib.decompressobj()
    try:
        block = stream.decompress(data, _LONGEST_BLOCK)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not stream.eof:
        raise ValueError("it does not end")
    return block
