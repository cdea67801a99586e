"""Picture files to `Image`: decided by content, refused rather than truncated or guessed."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError
from kerasdenoise.images.formats import (
    Format,
    foreign_format,
    format_of_content,
    known_titles,
)
from kerasdenoise.images.image import Image, Metadata

MAX_PIXELS = 1_000_000_000
"""Pictures of more pixels than this are refused as decompression bombs."""

# A picture is converted in bands of about this many pixels, so that no second copy is made.
_BAND_PIXELS = 2**18
# Compressed bytes are inflated in pieces of this size, so that a bomb stays small.
_PIECE = 2**14
_COPY_AGAIN = "copy it again from where it came"
_EXIF_MARKER = b"Exif\x00\x00"
_PILLOW_LIMIT = threading.Lock()


class _RefusedError(Exception):
    """Why a file is refused, before the file's name is known."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


@dataclass(frozen=True)
class _Container:
    """What a file's own structure says and Pillow does not.

    Attributes:
        lossless: Whether the pixels are coded without loss.
        transparent: The one color, on the 8-bit scale, that a PNG declares transparent.
    """

    lossless: bool
    transparent: tuple[int, ...] | None = None


def read_image(source: Path | bytes, name: str | None = None) -> Image:
    """Reads a picture, with everything that must travel beside its pixels.

    The format is decided by content, not by the file's name. Pixels are not rotated: the
    orientation tag stays in `metadata.exif`.

    Args:
        source: A file, or a file's content.
        name: What errors call it; a path's own name unless given.

    Returns:
        The picture; palettes are expanded to RGB, 1-bit pictures to gray.

    Raises:
        InputError: The file is missing, unreadable, not a picture, damaged, larger than
            `MAX_PIXELS`, or of a kind that cannot be kept whole.
    """
    if isinstance(source, bytes):
        subject = name or "picture"
        data = source
    else:
        subject = name or str(source)
        data = _read_bytes(source, subject)
    try:
        return _decode(data)
    except _RefusedError as refused:
        raise InputError(subject, refused.cause, refused.remedy) from refused.__cause__


def _read_bytes(path: Path, subject: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
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


def _decode(data: bytes) -> Image:
    row = _recognize(data)
    try:
        container = _INSPECTORS[row.name](data)
    except (struct.error, IndexError) as error:  # a header ends before its fields do
        raise _RefusedError("is truncated", _COPY_AGAIN) from error
    picture = _open(data, row)
    _check_size(*picture.size)
    if row.name != "JPEG" and getattr(picture, "n_frames", 1) > 1:
        raise _RefusedError(
            "is an animation, of which only the first picture would be left",
            "save the picture you want as a file of its own",
        )
    try:
        picture.load()
        picture = _expand(picture)
        pixels, alpha = _to_arrays(picture, container.transparent)
    except _RefusedError:
        raise
    except MemoryError as error:
        size = f"{picture.width} x {picture.height}"
        raise _RefusedError(
            f"does not fit into memory ({size} pixels)", "close other programs"
        ) from error
    except Exception as error:  # a decoder fed with foreign bytes may raise anything
        raise _undecodable(row, error) from error
    return Image(
        pixels=pixels,
        alpha=alpha,
        bit_depth=8,
        format=row.name,
        metadata=_metadata(picture.info, row),
        lossless=container.lossless,
    )


def _recognize(data: bytes) -> Format:
    if not data:
        raise _RefusedError("is empty (0 bytes)", _COPY_AGAIN)
    row = format_of_content(data)
    if row is not None:
        return row
    foreign = foreign_format(data)
    if foreign is not None:
        raise _RefusedError(
            f"is a {foreign} picture, which cannot be read yet",
            f"convert it first; {known_titles()} can be read",
        )
    raise _RefusedError("is not a picture", f"{known_titles()} can be read")


def _open(data: bytes, row: Format) -> PillowImage.Image:
    with _no_pillow_limit():
        try:
            return PillowImage.open(io.BytesIO(data), formats=[row.name])
        except Exception as error:  # a decoder fed with foreign bytes may raise anything
            raise _undecodable(row, error) from error


@contextlib.contextmanager
def _no_pillow_limit() -> Iterator[None]:
    """Lifts Pillow's limit, which is below 200 megapixels, while a header is read.

    Pillow knows it only as a global, so other users of Pillow in this process get it back
    at once; `_check_size` stands in for it. Warnings about odd EXIF are of no use here: the
    block is copied as it is.
    """
    with _PILLOW_LIMIT, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = PillowImage.MAX_IMAGE_PIXELS
        PillowImage.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            PillowImage.MAX_IMAGE_PIXELS = saved


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise _RefusedError("has no pixels", _COPY_AGAIN)
    if width * height > MAX_PIXELS:
        raise _RefusedError(
            f"has {width} x {height} pixels, "
            f"more than the limit of {MAX_PIXELS // 10**6} megapixels",
            "cut it into smaller pictures",
        )


def _undecodable(row: Format, error: Exception) -> _RefusedError:
    reason = " ".join(str(error).split())
    if "truncated" in reason:
        return _RefusedError("is truncated", _COPY_AGAIN)
    # Pillow's "cannot identify" names only the buffer's address.
    hidden = not reason or isinstance(error, PillowImage.UnidentifiedImageError)
    detail = "" if hidden else f" ({reason})"
    return _RefusedError(f"is a {row.title} file that cannot be decoded{detail}", _COPY_AGAIN)


def _expand(picture: PillowImage.Image) -> PillowImage.Image:
    """Brings a decoded picture to one of the modes L, LA, RGB, RGBA."""
    if picture.mode in ("L", "LA", "RGB", "RGBA"):
        return picture
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode == "P":
        return picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    raise _RefusedError(
        f"has {picture.mode} colors, which cannot be kept yet", "convert it to RGB or gray first"
    )


def _to_arrays(
    picture: PillowImage.Image, transparent: tuple[int, ...] | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns a picture's pixels as float32 in [0, 1], and its alpha channel as it is."""
    width, height = picture.size
    channels = 1 if picture.mode in ("L", "LA") else 3
    pixels = np.empty((height, width, channels), np.float32)
    has_alpha = picture.mode in ("LA", "RGBA") or transparent is not None
    alpha = np.empty((height, width), np.uint8) if has_alpha else None
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        band = np.asarray(picture.crop((0, top, width, bottom))).reshape(bottom - top, width, -1)
        colors = band[..., :channels]
        np.divide(colors, np.float32(255), out=pixels[top:bottom], dtype=np.float32)
        if alpha is None:
            continue
        if transparent is None:
            alpha[top:bottom] = band[..., channels]
        else:
            alpha[top:bottom] = np.where((colors == transparent).all(axis=-1), 0, 255)
    return pixels, alpha


def _metadata(info: dict[str | tuple[int, int], object], row: Format) -> Metadata:
    def block(key: str) -> bytes | None:
        value = info.get(key)
        return value if isinstance(value, bytes) and value else None

    exif = block("exif") or _raw_profile(info.get("Raw profile type exif"))
    while exif is not None and exif.startswith(_EXIF_MARKER):
        exif = exif[len(_EXIF_MARKER) :]
    dpi = info.get("dpi")
    # Where a JPEG header states none, Pillow makes one up from EXIF, which travels anyway.
    if row.name == "JPEG" and info.get("jfif_unit") not in (1, 2):
        dpi = None
    return Metadata(
        icc=block("icc_profile"),
        exif=exif or None,
        xmp=block("xmp"),
        dpi=(float(dpi[0]), float(dpi[1])) if isinstance(dpi, tuple) else None,
    )


def _raw_profile(text: object) -> bytes | None:
    """Returns the bytes of a profile that ImageMagick wrote into a PNG as hexadecimal text."""
    if not isinstance(text, str):
        return None
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return None


def _inspect_jpeg(data: bytes) -> _Container:
    """Refuses what Pillow would read only in part: no end, several pictures, CMYK, 12 bits."""
    at = 2
    while True:
        # Like every decoder, pass over fill bytes and what else is no marker.
        if data[at] != 0xFF or data[at + 1] in (0x00, 0xFF):
            at += 1
            continue
        marker, length = struct.unpack_from(">HH", data, at)
        if marker == 0xFFDA:
            break
        segment = data[at + 4 : at + 2 + length]
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            _check_jpeg_frame(segment)
        if marker == 0xFFE2 and segment.startswith(b"MPF\x00"):
            _check_jpeg_pictures(segment[4:])
        at += 2 + length
    # In scan data a 0xFF byte is never followed by 0xD9 unless the picture ends there.
    if data.find(b"\xff\xd9", at) < 0:
        raise _RefusedError("is truncated", _COPY_AGAIN)
    return _Container(lossless=False)


def _check_jpeg_frame(segment: bytes) -> None:
    bits, components = segment[0], segment[5]
    if 8 < bits <= 16:
        raise _RefusedError(
            f"is a {bits}-bit JPEG, which cannot be read yet", "convert it to 8 bits first"
        )
    if components == 4:
        raise _RefusedError("is a CMYK JPEG, which cannot be kept yet", "convert it to RGB first")


def _check_jpeg_pictures(index: bytes) -> None:
    """Refuses files whose further pictures are more than previews of the first."""
    try:
        kinds = _jpeg_picture_kinds(index)
    except struct.error:  # an index that nobody can follow leads to no further picture
        return
    preview = 0x01
    if any((kind >> 16) & 0xFF != preview for kind in kinds):
        raise _RefusedError(
            f"holds {len(kinds) + 1} pictures (a gain map, a stereo pair or a panorama), "
            "of which only the first would be left",
            "save the picture as an ordinary JPEG first",
        )


def _jpeg_picture_kinds(index: bytes) -> list[int]:
    """Returns the attributes of all pictures but the first in a multi-picture index (MPF)."""
    order = "<" if index.startswith(b"II") else ">"
    (directory,) = struct.unpack_from(f"{order}4xL", index)
    (count,) = struct.unpack_from(f"{order}H", index, directory)
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, _, length, start = struct.unpack_from(f"{order}HHLL", index, at)
        if tag == 0xB002:
            entries = range(start + 16, start + length, 16)
            return [struct.unpack_from(f"{order}L", index, entry)[0] for entry in entries]
    return []


def _inspect_png(data: bytes) -> _Container:
    """Refuses 16 bits, which Pillow halves without a word, and pixel data that stops early."""
    chunks = list(_png_chunks(data))
    if chunks[0][0] != b"IHDR":
        raise _RefusedError("is a damaged PNG file", _COPY_AGAIN)
    width, height, bits, color, *_, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    _check_size(width, height)
    if bits == 16:
        raise _RefusedError(
            "is a 16-bit PNG, which cannot be kept yet", "convert it to 8 bits first"
        )
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color, 1)
    _check_png_data(
        (body for kind, body in chunks if kind == b"IDAT"),
        _png_data_size(width, height, bits * samples, interlaced=bool(interlace)),
    )
    key = next((bytes(body) for kind, body in chunks if kind == b"tRNS"), None)
    transparent = None
    if key is not None and color in (0, 2):
        scale = 255 // (2**bits - 1)
        transparent = tuple(value * scale for value in struct.unpack_from(f">{samples}H", key))
    return _Container(lossless=True, transparent=transparent)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view = memoryview(data)
    at = 8
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise _RefusedError("is truncated", _COPY_AGAIN)
        yield kind, view[at + 8 : at + 8 + length]
        at += 12 + length


def _png_data_size(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Returns how many bytes the pixel data of a PNG holds once it is inflated."""
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
    size = 0
    for left, top, across, down in passes:
        columns = max(0, -(-(width - left) // across))
        rows = max(0, -(-(height - top) // down))
        if columns:
            size += rows * (1 + (columns * bits + 7) // 8)
    return size


def _check_png_data(blocks: Iterator[memoryview], expected: int) -> None:
    """Inflates pixel data to see that all of it is there and that its checksum is right.

    Pillow checks neither: it leaves what is missing black.
    """
    inflate = zlib.decompressobj()
    size = 0
    try:
        for block in blocks:
            for start in range(0, len(block), _PIECE):
                size += len(inflate.decompress(block[start : start + _PIECE]))
                if size > expected:
                    return
        size += len(inflate.flush())
    except zlib.error as error:
        raise _RefusedError("is a damaged PNG file", _COPY_AGAIN) from error
    if size < expected or not inflate.eof:
        raise _RefusedError("is truncated", _COPY_AGAIN)


def _inspect_webp(data: bytes) -> _Container:
    """Refuses a file that ends early, and sees whether it is coded without loss."""
    (declared,) = struct.unpack_from("<I", data, 4)
    end = 8 + declared
    if end > len(data):
        raise _RefusedError("is truncated", _COPY_AGAIN)
    at = 12
    kinds = set()
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        kinds.add(kind)
        at += 8 + length + length % 2
    return _Container(lossless=b"VP8L" in kinds)


_INSPECTORS: dict[str, Callable[[bytes], _Container]] = {
    "JPEG": _inspect_jpeg,
    "PNG": _inspect_png,
    "WEBP": _inspect_webp,
}
