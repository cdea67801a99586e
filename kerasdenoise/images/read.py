"""Picture files to `Image`: decided by content, refused rather than truncated or guessed."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import UnidentifiedImageError

from kerasdenoise.errors import InputError
from kerasdenoise.foreign import address_of
from kerasdenoise.images.bmp import read_bmp
from kerasdenoise.images.formats import (
    FORMATS,
    Format,
    foreign_format,
    format_of_content,
    format_of_suffix,
    known_titles,
)
from kerasdenoise.images.heif import read_avif, read_heif
from kerasdenoise.images.image import Image
from kerasdenoise.images.jpeg import read_jpeg
from kerasdenoise.images.png import read_png
from kerasdenoise.images.raw import read_raw
from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError
from kerasdenoise.images.tags import is_camera_raw
from kerasdenoise.images.tiff import count_pages, read_tiff
from kerasdenoise.images.webp import read_webp
from kerasdenoise.stores import Address, read_bytes

# So many first bytes show what a file is.
_HEAD = 4096

_READERS: dict[str, Callable[[bytes, Reading], Image]] = {
    "AVIF": read_avif,
    "BMP": read_bmp,
    "HEIF": read_heif,
    "JPEG": read_jpeg,
    "PNG": read_png,
    "RAW": read_raw,
    "TIFF": read_tiff,
    "WEBP": read_webp,
}


def read_image(
    source: Path | bytes,
    name: str | None = None,
    *,
    half_size: bool = False,
    first_only: bool = False,
    exact: bool = False,
    page: int | None = None,
    max_memory: int | None = None,
) -> Image:
    """Reads an image, with everything that must be kept with its pixels.

    The format is decided by content, not by the file's name. Pixels are not rotated: the
    orientation tag stays in `metadata.exif`.

    Args:
        source: A file, also one in a store, or a file's content.
        name: What errors call it; a path's own name unless given.
        half_size: Whether camera raw is developed at half its height and width.
        first_only: Whether the first picture is read of a file with several (an animation,
            pages, a gain map), which is otherwise refused; `notes` of the picture say so.
        exact: Whether pixels stay the file's own integers of 8 or 16 bits, which take a quarter
            or half of the memory. TIFF's colors that are multiplied by alpha are float32 even so.
        page: Which page of a TIFF file is read, from 0, as a picture of its own; see `list_pages`.
        max_memory: Bytes that the decoded picture may take; half of what is free if None.

    Returns:
        The picture; palettes are expanded to RGB, 1-bit pictures to gray, camera raw is
        developed to a 16-bit TIFF picture. Its `notes` say what is not as it was.

    Raises:
        InputError: The file is missing, unreadable, not a picture, damaged, larger than
            `refusal.MAX_PIXELS` or than the memory that it may take, of a kind that cannot be
            kept whole, or needs an extra of the package that is not installed.
    """
    reading = Reading(
        half_size=half_size,
        first_only=first_only,
        exact=exact,
        page=page,
        max_memory=max_memory,
    )
    subject = name or ("picture" if isinstance(source, bytes) else str(source))
    try:
        data = source if isinstance(source, bytes) else _read_bytes(source, subject, reading)
        image = _decode(data, reading)
    except RefusedError as refused:
        raise InputError(subject, refused.cause, refused.remedy) from refused.__cause__
    if isinstance(source, Path):
        _note_foreign_name(source, image, reading)
    return replace(image, notes=tuple(reading.notes))


def list_pages(path: Path) -> list[int | None]:
    """Lists what `read_image` takes as `page`: all pages of full size of a TIFF file of several.

    Returns:
        The pages; only None for any other file.

    Raises:
        InputError: The file is missing or cannot be read.
    """
    if format_of_suffix(path) is not FORMATS["TIFF"]:
        return [None]
    try:
        data = _read_bytes(path, str(path), Reading())
        if format_of_content(data) is not FORMATS["TIFF"] or is_camera_raw(data):
            return [None]
        count = count_pages(data)
    except RefusedError as refused:
        raise InputError(path, refused.cause, refused.remedy) from refused
    except (struct.error, IndexError, ValueError):
        return [None]  # what is wrong with it, reading it says
    return [None] if count < 2 else list(range(count))


def _note_foreign_name(path: Path, image: Image, reading: Reading) -> None:
    """Notes that a file is not what its name says, which names of results go by."""
    named = format_of_suffix(path)
    if named is not None and (named.written_as or named.name) != image.format:
        title = FORMATS[image.format].title
        reading.notes.append(
            f"is {title}, not {named.title}: the result's format follows the result's name"
        )


def _read_bytes(path: Path, subject: str, reading: Reading) -> bytes:
    if isinstance(path, Address):
        data = read_bytes(path)
        reading.check_bytes(len(data))
        return data
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if head:
                _recognize(head)  # what is no picture is refused whatever its length
            reading.check_bytes(os.fstat(file.fileno()).st_size)
            file.seek(0)
            return file.read()
    except FileNotFoundError as error:
        if address := address_of(subject):
            raise InputError(
                address, "is an address, not a file", "save the photo from there first"
            ) from error
        raise InputError(subject, "no such file", "check the path") from error
    except IsADirectoryError as error:
        raise InputError(subject, "is a folder", "name the files in it") from error
    except PermissionError as error:
        if os.path.isdir(path):  # noqa: PTH112 (what Windows says of a folder; never raises)
            raise InputError(subject, "is a folder", "name the files in it") from error
        raise InputError(
            subject, "permission denied", "make the file readable for your user"
        ) from error
    except MemoryError as error:
        raise InputError(subject, "does not fit into memory", "close other programs") from error
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise InputError(subject, f"cannot be read ({cause})", "check the path") from error


def _decode(data: bytes, reading: Reading) -> Image:
    row = None
    try:
        row = _recognize(data)
        if row.name == "TIFF" and is_camera_raw(data):
            row = FORMATS["RAW"]
        return _READERS[row.name](data, reading)
    except RefusedError:
        raise
    except MemoryError as error:
        raise RefusedError("does not fit into memory", "close other programs") from error
    except (struct.error, IndexError) as error:  # a header ends before its fields do
        raise RefusedError("is truncated", COPY_AGAIN) from error
    except Exception as error:  # a decoder fed with foreign bytes may raise anything
        raise _undecodable(row, error) from error


def _recognize(data: bytes) -> Format:
    if not data:
        raise RefusedError("is empty (0 bytes)", COPY_AGAIN)
    row = format_of_content(data)
    # The first brand may be one that both formats have.
    if row is not None and row.name == "HEIF" and b"avif" in data[8 : data[3]]:
        return FORMATS["AVIF"]
    if row is not None:
        return row
    foreign = foreign_format(data)
    if foreign is not None:
        raise RefusedError(
            f"is a {foreign} image, which is not supported yet",
            f"convert it first; {known_titles()} can be read",
        )
    raise RefusedError("is not an image", f"{known_titles()} can be read")


def _undecodable(row: Format | None, error: Exception) -> RefusedError:
    reason = " ".join(str(error).split())
    if "truncated" in reason:
        return RefusedError("is truncated", COPY_AGAIN)
    # Pillow's "cannot identify" names only the buffer's address.
    hidden = not reason or isinstance(error, UnidentifiedImageError)
    detail = "" if hidden else f" ({reason[:200]})"
    title = row.title if row else "picture"
    article = "an" if title.startswith("A") else "a"
    return RefusedError(f"is {article} {title} file that cannot be decoded{detail}", COPY_AGAIN)
