"""`Image` to picture files: the one place that saves."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.errors import OutputError, UsageError
from kerasdenoise.files import ANY, Identity, check_name, write_file
from kerasdenoise.images.bmp import encode_bmp
from kerasdenoise.images.formats import FORMATS, Format, format_of_suffix
from kerasdenoise.images.heif import encode_heif
from kerasdenoise.images.image import Image, Metadata, sample_type
from kerasdenoise.images.jpeg import estimate_quality, jpeg_metadata, state_density
from kerasdenoise.images.metadata import MetadataPolicy, apply_policy, kept_metadata
from kerasdenoise.images.orientation import turn_upright
from kerasdenoise.images.png import encode_png
from kerasdenoise.images.refusal import RefusedError
from kerasdenoise.images.tiff import encode_tiff
from kerasdenoise.pixels import BAND_PIXELS, to_pixels, to_samples
from kerasdenoise.stores import Address, write_bytes

Quality = int | Literal["keep"] | None
"""1 to 100 for formats with loss, `keep` for that of a JPEG file itself, None for the usual."""

# The least quality of a JPEG file unless another is asked for. Below, coding leaves visible blocks
# where the noise hid them.
_LEAST = 85


def encode_image(
    image: Image,
    *,
    quality: Quality = None,
    metadata: MetadataPolicy = "keep",
    bit_depth: int | None = None,
) -> bytes:
    """Codes a picture in its format, with its metadata.

    Args:
        image: The picture; pixels outside [0, 1] are clipped, but for 32 bits.
        quality: For formats with loss. None is 95, but for JPEG that came from JPEG it is the
            file's own quality, 85 at least, and its own chroma subsampling. `keep` is for JPEG
            that came from JPEG, too: its tables.
        metadata: `keep` it, all but the place (`no-gps`), or `none` but what decides how the
            picture looks.
        bit_depth: 8, 16 or 32; the picture's own if None.

    Returns:
        The content of a file.

    Raises:
        OutputError: The format cannot hold the picture, or a pixel is not a finite number.
        UsageError: There is no such quality, policy or depth.
    """
    return _encode(image, f"{image.format} picture", quality, metadata, bit_depth)


def write_image(
    image: Image,
    target: Path,
    *,
    overwrite: bool = False,
    quality: Quality = None,
    metadata: MetadataPolicy = "keep",
    bit_depth: int | None = None,
    replaces: Identity | None = None,
    like: Path | None = None,
) -> bytes:
    """Writes an image to a file, either completely or not at all.

    The suffix of `target` decides the format; where it is unknown, the picture's own stays.
    Missing folders are made. The file appears under its name only when it is complete.

    Args:
        image: The picture.
        target: Where to write it. In a store, what exists there is replaced.
        overwrite: Whether any existing file may be replaced.
        quality: See `encode_image`.
        metadata: See `encode_image`.
        bit_depth: See `encode_image`.
        replaces: Without `overwrite`, what alone may be replaced; see `files.write_file`.
        like: The file whose permissions, time and owner it gets.

    Returns:
        The file's content.

    Raises:
        OutputError: The picture cannot be coded in this format, or the file cannot be
            written; what was there before is unchanged.
        UsageError: There is no such quality, policy or depth.
    """
    row = format_of_suffix(target)
    if row is not None and row.name != image.format:
        image = replace(image, format=row.name, coding={})
    content = _encode(image, str(target), quality, metadata, bit_depth)
    if isinstance(target, Address):
        write_bytes(target, content)
    else:
        write_file(target, content, replaces=ANY if overwrite else replaces, like=like)
    return content


def check_writable(image: Image, target: Path, *, bit_depth: int | None = None) -> None:
    """Rejects an image that `write_image` would reject for its size, depth, transparency or name.

    Args:
        image: The picture.
        target: Where it will be written.
        bit_depth: See `encode_image`.

    Raises:
        OutputError: The target's format cannot hold the picture, or its name is too long.
        UsageError: There is no such depth.
    """
    check_name(target)
    _check_choices(None, bit_depth)
    row = format_of_suffix(target) or FORMATS[image.format]
    _check(image, row, bit_depth or image.bit_depth, str(target))


def _encode(
    image: Image,
    subject: str,
    quality: Quality,
    policy: MetadataPolicy,
    bit_depth: int | None,
) -> bytes:
    row = FORMATS[image.format]
    _check_choices(quality, bit_depth)
    image = replace(image, metadata=apply_policy(image.metadata, policy))
    if kept_metadata(image.metadata, row).exif is None:  # nor the tag of how it is turned
        image = turn_upright(image)
    image = replace(image, metadata=kept_metadata(image.metadata, row))
    depth = bit_depth or image.bit_depth
    _check(image, row, depth, subject)
    samples = _to_samples(image, row, depth, subject)
    try:
        return _ENCODERS.get(row.name, _encode_by_pillow)(samples, image, quality)
    except RefusedError as refused:
        raise OutputError(subject, refused.cause, refused.remedy) from refused
    except MemoryError:
        raise
    except Exception as error:  # a coder fed with foreign metadata may raise anything
        raise OutputError(
            subject, f"cannot be encoded as {row.title} ({error})", "write a PNG file instead"
        ) from error


def _check_choices(quality: Quality, bit_depth: int | None) -> None:
    if isinstance(quality, int) and not 1 <= quality <= 100:
        raise UsageError(
            f"quality {quality}", "not between 1 and 100", "give a number from 1 to 100"
        )
    if isinstance(quality, str) and quality != "keep":
        raise UsageError(f"quality {quality}", "unknown", "give keep, or a number up to 100")
    if bit_depth not in (None, 8, 16, 32):
        raise UsageError(f"bit depth {bit_depth}", "unknown", "give 8, 16 or 32")


def _check(image: Image, row: Format, depth: int, subject: str) -> None:
    if row.written_as is not None:
        instead = FORMATS[row.written_as]
        raise OutputError(
            subject,
            f"{row.title} files cannot be written",
            f"write a {instead.title} file, as {instead.extensions[0]}",
        )
    carriers = " or ".join(other.title for other in FORMATS.values() if other.alpha)
    if image.alpha is not None and not row.alpha:
        raise OutputError(
            subject,
            f"{row.title} cannot store the image's transparency",
            f"write a {carriers} file instead",
        )
    if depth not in row.bit_depths:
        carriers = " or ".join(
            other.title
            for other in FORMATS.values()
            if depth in other.bit_depths and other.written_as is None
        )
        raise OutputError(
            subject,
            f"{row.title} files of {depth} bits cannot be written",
            f"write a {carriers} file instead, or choose another bit depth",
        )
    if max(image.height, image.width) > row.max_side:
        raise OutputError(
            subject,
            f"{image.width} x {image.height} pixels are too many for {row.title}, "
            f"whose limit is {row.max_side} per side",
            "write a PNG file instead",
        )
    profile = image.metadata.icc or b""
    if image.gray and not _stays_gray(image, row) and profile[16:20] == b"GRAY":
        pictures = "gray images" if image.alpha is None else "gray images with transparency"
        raise OutputError(
            subject,
            f"{row.title} has no {pictures}, which the image's color profile needs",
            "write a PNG or TIFF file instead",
        )


def _stays_gray(image: Image, row: Format) -> bool:
    return image.gray and row.gray and (image.alpha is None or row.gray_alpha)


def _to_samples(image: Image, row: Format, depth: int, subject: str) -> np.ndarray:
    """Brings pixels to the file's samples, alpha beside them.

    Samples that are the file's own already stay as they are, without a copy if they are all.

    Returns:
        Shape (height, width) for gray, else (height, width, samples).
    """
    dtype = sample_type(depth)
    channels = 1 if _stays_gray(image, row) else 3
    is_own = image.pixels.dtype == dtype and dtype.kind == "u"
    if is_own and image.alpha is None and channels == image.pixels.shape[2]:
        return image.pixels[..., 0] if channels == 1 else image.pixels
    multiplied = row.name == "TIFF" and image.coding.get("premultiplied")
    samples = np.empty((image.height, image.width, channels + (image.alpha is not None)), dtype)
    if image.alpha is not None:
        samples[..., channels] = _convert_alpha(image.alpha, dtype)
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        band = image.pixels[top : top + rows]
        if is_own and not multiplied:
            samples[top : top + rows, :, :channels] = band
            continue
        band = to_pixels(band)
        if not np.isfinite(band).all():
            raise OutputError(
                subject,
                "contains pixels that are not numbers (NaN or infinity)",
                "repair the image",
            )
        if image.alpha is not None and multiplied:
            band = band * _share(image.alpha[top : top + rows])
        samples[top : top + rows, :, :channels] = to_samples(band, dtype)
    return samples[..., 0] if samples.shape[2] == 1 else samples


def _peak(dtype: np.dtype) -> int:
    return 1 if dtype.kind == "f" else np.iinfo(dtype).max


def _convert_alpha(alpha: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Brings alpha to another type of samples; of its own it stays as it is."""
    if alpha.dtype == dtype:
        return alpha
    return to_samples(to_pixels(alpha), dtype)


def _share(alpha: np.ndarray) -> np.ndarray:
    """Returns what colors are multiplied with; where nothing shows, they stay as they are."""
    share = alpha.astype(np.float32)[..., np.newaxis] / np.float32(_peak(alpha.dtype))
    return np.where(share > 0, share, np.float32(1))


def _encode_by_pillow(samples: np.ndarray, image: Image, quality: Quality) -> bytes:
    row = FORMATS[image.format]
    number = quality if isinstance(quality, int) else None
    has_alpha = image.alpha is not None
    options = row.save_options(lossless=image.lossless, quality=number, alpha=has_alpha)
    if row.name == "JPEG":
        options |= jpeg_metadata(image.metadata)
        if quality == "keep" and "qtables" in image.coding:
            options.pop("quality")
            options |= image.coding
        elif quality is None and "qtables" in image.coding:
            tables = cast("list[list[int]]", image.coding["qtables"])
            options |= {**image.coding, "quality": max(_LEAST, estimate_quality(tables[0]))}
            del options["qtables"]
    else:
        options |= _blocks(image.metadata)
    if row.name == "AVIF" and samples.ndim == 2:
        options["subsampling"] = "4:0:0"
    picture = PillowImage.fromarray(samples)
    del samples
    stream = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):  # of odd EXIF, of which it keeps what it can
        picture.save(stream, format=row.name, **options)
    if row.name == "JPEG":
        return state_density(stream.getvalue(), image.metadata.density)
    return stream.getvalue()


def _blocks(metadata: Metadata) -> dict[str, object]:
    blocks = {"icc_profile": metadata.icc, "exif": metadata.exif, "xmp": metadata.xmp}
    return {key: block for key, block in blocks.items() if block}


def _encode_heif(samples: np.ndarray, image: Image, quality: Quality) -> bytes:
    number = quality if isinstance(quality, int) else None
    options = FORMATS["HEIF"].save_options(
        lossless=False, quality=number, alpha=image.alpha is not None
    )
    return encode_heif(samples, image, options)


_ENCODERS: dict[str, Callable[[np.ndarray, Image, Quality], bytes]] = {
    "BMP": lambda samples, image, _: encode_bmp(samples, image),
    "HEIF": _encode_heif,
    "PNG": lambda samples, image, _: encode_png(samples, image),
    "TIFF": lambda samples, image, _: encode_tiff(samples, image),
}
