"""Why a file is refused, before its name is known, and the limits that all readers share."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kerasdenoise.runtime import free_memory, memory_text

MAX_PIXELS = 1_000_000_000
"""Pictures of more pixels than this are refused as decompression bombs."""

# Above so many pixels, a file of photos has at least a byte for so many of them.
_FEW_PIXELS = 64_000_000
_PIXELS_PER_BYTE = 2000
# What all profiles and texts of a file are inflated to: those of real ones end far below.
_INFLATED = 2**26
# The share of what is free that a decoded picture may take: others must fit beside it.
_SHARE = 0.5
# What is assumed to be free where the system does not say.
_ASSUMED_FREE = 8 * 10**9

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
        page: Which page of a TIFF file is read, from 0, as a picture of its own; None for a file
            of one page.
        max_memory: Bytes that the decoded picture may take; half of what is free if None.
        notes: What is left out or changed, in words.
    """

    half_size: bool = False
    first_only: bool = False
    exact: bool = False
    page: int | None = None
    max_memory: int | None = None
    notes: list[str] = field(default_factory=list)
    _inflatable: int = _INFLATED

    def leave_out(self, cause: str, remedy: str) -> None:
        """Notes that there is more than one picture, or refuses the file for it."""
        if not self.first_only:
            raise RefusedError(cause, f"{remedy}, or add --first-only to denoise only the first")
        self.notes.append(f"{cause}: the rest is dropped")

    def note_lost(self, what: str, names: Iterable[bytes]) -> None:
        """Notes parts of a file, by their names in its format, that no result will have."""
        listed = [name.decode("ascii", "replace").strip("\0 ") for name in names]
        if listed:
            named = ", ".join(dict.fromkeys(listed))
            self.notes.append(f"has {what} of {named}: they are dropped")

    def note_behind(self, rest: bytes | memoryview) -> None:
        """Notes bytes behind the end of a picture, unless they only fill a block."""
        if any(rest):
            self.notes.append(f"has {len(rest)} bytes after the image: they are dropped")

    def check_size(self, width: int, height: int, size: int, bytes_per_pixel: int) -> None:
        """Refuses pictures that are too large, or too large for what their file has in it.

        Args:
            width: Pixels in a row.
            height: Rows.
            size: Bytes of the file.
            bytes_per_pixel: Of the picture once it is decoded; see `pixel_bytes`.
        """
        if width < 1 or height < 1:
            raise RefusedError("has no pixels", COPY_AGAIN)
        if width * height > MAX_PIXELS:
            raise RefusedError(
                f"has {width} x {height} pixels, "
                f"more than the limit of {MAX_PIXELS // 10**6} megapixels",
                "cut it into smaller images",
            )
        if width * height > max(_FEW_PIXELS, _PIXELS_PER_BYTE * size):
            raise RefusedError(
                f"claims {width} x {height} pixels in {size} bytes, unlike any photo", COPY_AGAIN
            )
        self.check_bytes(width * height * bytes_per_pixel)

    def check_bytes(self, decoded: int) -> None:
        """Refuses what would take more memory than is allowed, before it is decoded."""
        limit = self.max_memory
        allowed = "--max-memory allows"
        if limit is None:
            limit = int(_SHARE * (free_memory() or _ASSUMED_FREE))
            allowed = "are allowed, which is half of the free memory"
        if decoded > limit:
            raise RefusedError(
                f"takes {memory_text(decoded)} of memory, more than the {memory_text(limit)} "
                f"that {allowed}",
                "raise --max-memory if you trust the file",
            )

    def pixel_bytes(self, samples: int, bits: int = 8) -> int:
        """Returns the memory of a decoded pixel, of so many samples of so many bits."""
        return samples * (max(bits, 8) // 8 if self.exact else 4)

    def inflate(self, data: bytes | memoryview) -> bytes:
        """Inflates a block of metadata, which may be a bomb.

        Raises:
            ValueError: It is damaged, or all such blocks are longer than those of any real file.
        """
        if not self._inflatable:  # which zlib would take for no limit
            raise ValueError("there is too much of it")
        stream = zlib.decompressobj()
        try:
            block = stream.decompress(data, self._inflatable)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        self._inflatable -= len(block)
        if not stream.eof:
            raise ValueError("it does not end")
        return block


def import_extra(module: str, extra: str) -> Any:
    """Imports the library of an extra.

    Args:
        module: The library's module.
        extra: What it is called in `pip install "kerasdenoise[extra]"`.

    Raises:
        RefusedError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RefusedError(
            f"needs the library {module}, which is not installed",
            f'run pip install "kerasdenoise[{extra}]"',
        ) from error
