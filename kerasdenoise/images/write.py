"""`Image` to picture files: the one place that clips and rounds, and the one that saves."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import PngImagePlugin

from kerasdenoise.errors import OutputError
from kerasdenoise.images.formats import FORMATS, Format, format_of_suffix
from kerasdenoise.images.image import Image, Metadata

# Pixels are rounded in bands of about this many, so that no second float copy is made.
_BAND_PIXELS = 2**18
_EXIF_MARKER = b"Exif\x00\x00"
# A JPEG segment's length is a 16-bit number that counts itself.
_JPEG_SEGMENT = 65533

_CAUSES: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("no space left on the device", "free some space or write elsewhere with -o"),
    errno.EDQUOT: ("disk quota exceeded", "free some space or write elsewhere with -o"),
    errno.EACCES: ("permission denied", "write to a folder of your own with -o"),
    errno.EPERM: ("permission denied", "write to a folder of your own with -o"),
    errno.EROFS: ("the disk is read-only", "write elsewhere with -o"),
    errno.ENAMETOOLONG: ("the file name is too long", "give a shorter one with -o"),
    errno.ENOTDIR: ("a file stands where its folder should be", "write elsewhere with -o"),
    errno.EISDIR: ("is a folder", "give a file name with -o"),
    errno.EEXIST: ("exists already", "add --overwrite or --skip-existing"),
}


def encode_image(image: Image) -> bytes:
    """Codes a picture in its format, with its metadata.

    Args:
        image: The picture; pixels outside [0, 1] are clipped.

    Returns:
        The content of a file.

    Raises:
        OutputError: The format cannot hold the picture, or a pixel is not a finite number.
    """
    return _encode(image, f"{image.format} picture")


def write_image(image: Image, target: Path, *, overwrite: bool = False) -> None:
    """Writes a picture to a file, all of it or nothing.

    The suffix of `target` decides the format; where it is unknown, the picture's own stays.
    Missing folders are made. The file appears under its name only when it is complete.

    Args:
        image: The picture.
        target: Where to write it.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        OutputError: The picture cannot be coded in this format, or the file cannot be
            written; what was there before is unchanged.
    """
    row = format_of_suffix(target)
    if row is not None:
        image = replace(image, format=row.name)
    data = _encode(image, str(target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_atomically(data, target, overwrite=overwrite)
    except FileExistsError as error:
        # Of a folder on the way, mkdir says that it exists when it is in truth a file.
        code = errno.EEXIST if target.parent.is_dir() else errno.ENOTDIR
        raise OutputError(target, *_CAUSES[code]) from error
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0)
        if cause is None:
            cause = (f"cannot be written ({error.strerror or error})", "write elsewhere with -o")
        raise OutputError(target, *cause) from error


def _encode(image: Image, subject: str) -> bytes:
    row = FORMATS[image.format]
    _check(image, row, subject)
    options = row.save_options(lossless=image.lossless) | _METADATA[row.name](image.metadata)
    samples = _to_samples(image, row, subject)
    try:
        picture = PillowImage.fromarray(samples)
        del samples
        stream = io.BytesIO()
        picture.save(stream, format=row.name, **options)
    except (OSError, ValueError) as error:
        raise OutputError(
            subject, f"cannot be coded as {row.title} ({error})", "write a PNG file instead"
        ) from error
    return stream.getvalue()


def _check(image: Image, row: Format, subject: str) -> None:
    carriers = " or ".join(other.title for other in FORMATS.values() if other.alpha)
    if image.alpha is not None and not row.alpha:
        raise OutputError(
            subject,
            f"{row.title} cannot carry the picture's transparency",
            f"write a {carriers} file instead",
        )
    if image.bit_depth not in row.bit_depths:
        raise OutputError(
            subject,
            f"{row.title} files of {image.bit_depth} bits cannot be written",
            "give an 8-bit picture",
        )
    if max(image.height, image.width) > row.max_side:
        raise OutputError(
            subject,
            f"{image.width} x {image.height} pixels are too many for {row.title}, "
            f"whose limit is {row.max_side} a side",
            "write a PNG file instead",
        )
    profile = image.metadata.icc or b""
    if image.gray and not row.gray and profile[16:20] == b"GRAY":
        raise OutputError(
            subject,
            f"{row.title} has no gray pictures, which the picture's color profile is for",
            "write a PNG or JPEG file instead",
        )


def _to_samples(image: Image, row: Format, subject: str) -> np.ndarray:
    """Clips and rounds pixels to the file's integers, alpha beside them.

    Returns:
        Unsigned integers of shape (height, width) for gray, else (height, width, samples).
    """
    peak = 2**image.bit_depth - 1
    channels = 1 if image.gray and row.gray else 3
    samples = np.empty(
        (image.height, image.width, channels + (image.alpha is not None)),
        np.dtype(f"uint{image.bit_depth}"),
    )
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        band = image.pixels[top : top + rows]
        if not np.isfinite(band).all():
            raise OutputError(
                subject,
                "the result has pixels that are not numbers",
                "report this, with the picture and the model's name",
            )
        samples[top : top + rows, :, :channels] = np.rint(np.clip(band, 0, 1) * peak)
    if image.alpha is not None:
        samples[..., channels] = image.alpha
    return samples[..., 0] if samples.shape[2] == 1 else samples


def _jpeg_metadata(metadata: Metadata) -> dict[str, object]:
    options = _blocks(icc_profile=metadata.icc, xmp=metadata.xmp)
    if metadata.exif:
        # Pillow's own `exif` takes one segment at most; readers join several.
        room = _JPEG_SEGMENT - len(_EXIF_MARKER)
        parts = [metadata.exif[at : at + room] for at in range(0, len(metadata.exif), room)]
        options["extra"] = b"".join(
            b"\xff\xe1"
            + (2 + len(_EXIF_MARKER) + len(part)).to_bytes(2, "big")
            + _EXIF_MARKER
            + part
            for part in parts
        )
    if metadata.dpi and all(1 <= round(value) <= 65535 for value in metadata.dpi):
        options["dpi"] = metadata.dpi
    return options


def _png_metadata(metadata: Metadata) -> dict[str, object]:
    options = _blocks(icc_profile=metadata.icc, exif=metadata.exif)
    if metadata.xmp:
        # As bytes: the text methods would decode and could change it.
        chunks = PngImagePlugin.PngInfo()
        chunks.add(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + metadata.xmp)
        options["pnginfo"] = chunks
    if metadata.dpi and all(0 < value < 2**31 * 0.0254 for value in metadata.dpi):
        options["dpi"] = metadata.dpi
    return options


def _webp_metadata(metadata: Metadata) -> dict[str, object]:
    return _blocks(icc_profile=metadata.icc, exif=metadata.exif, xmp=metadata.xmp)


def _blocks(**blocks: bytes | None) -> dict[str, object]:
    return {key: block for key, block in blocks.items() if block}


_METADATA: dict[str, Callable[[Metadata], dict[str, object]]] = {
    "JPEG": _jpeg_metadata,
    "PNG": _png_metadata,
    "WEBP": _webp_metadata,
}


def _write_atomically(data: bytes, target: Path, *, overwrite: bool) -> None:
    # Only the name's beginning: with all of it the temporary name could be too long.
    temporary = target.parent / f".{target.name[:32]}.{secrets.token_hex(4)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    # Unlike tempfile's, this mode leaves the file's permission to the user's umask.
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            temporary.replace(target)
        else:
            _move_without_clobber(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _move_without_clobber(temporary: Path, target: Path) -> None:
    """Gives a file its name, unless that name is taken, even if it was taken just now."""
    try:
        target.hardlink_to(temporary)
    except OSError:
        # Taken, which shows again here, or no hard links on this file system.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            temporary.replace(target)
        except BaseException:
            target.unlink()
            raise
