"""TIFF files of 8 and 16 bits and of floating-point numbers: their pixels."""

from __future__ import annotations

import io
import logging
from typing import Any, cast

import numpy as np

from kerasdenoise.images.decoded import take_array
from kerasdenoise.images.image import Image
from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError, check_size
from kerasdenoise.images.tags import ByteOrder, byte_order
from kerasdenoise.images.tiff_tags import (
    LAYERS,
    SUBFILE,
    add_tags,
    directories,
    first_number,
    metadata_of_tags,
)

# What compression is called by its number, for those without loss.
_COMPRESSIONS = {
    1: None,
    5: "lzw",
    8: "adobe_deflate",
    32946: "deflate",
    32773: "packbits",
    34925: "lzma",
    50000: "zstd",
}
_PREDICTABLE = ("lzw", "adobe_deflate", "deflate", "lzma", "zstd")
_MINISWHITE, _MINISBLACK, _RGB, _PALETTE = 0, 1, 2, 3
_COLORS = {5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "Lab", 10: "Lab"}
_ASSOCIATED, _UNASSOCIATED = 1, 2


def read_tiff(data: bytes, reading: Reading) -> Image:
    """Reads a TIFF file of one page; previews of it do not count.

    Alpha that colors are multiplied with is taken out of them, and put back on writing.
    """
    import tifffile

    # What it finds odd is either refused here or of no consequence.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    order = byte_order(data)
    pages = list(directories(data, whole=True))
    full = [at for at, tags in enumerate(pages) if not first_number(tags, SUBFILE, order) & 1]
    if not full:
        raise RefusedError("has no page of full size", COPY_AGAIN)
    if len(full) > 1:
        reading.leave_out(
            f"holds {len(full)} pages, of which only the first would be left",
            "save each page as a file of its own",
        )
    tags = pages[full[0]]
    if LAYERS in tags:
        reading.notes.append("has Photoshop's layers: they are left out")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[full[0]]
        if not isinstance(page, tifffile.TiffPage):  # never so for the first request of a page
            raise RefusedError("is a damaged TIFF file", COPY_AGAIN)
        _check_page(page, len(data))
        decoded = page.asarray(maxworkers=1)
    if page.axes == "SYX":
        decoded = np.moveaxis(decoded, 0, -1)
    decoded = _expand(decoded.reshape(page.imagelength, page.imagewidth, -1), page, reading)
    premultiplied = page.extrasamples[:1] == (_ASSOCIATED,)
    has_alpha = bool(page.extrasamples)
    pixels, alpha = take_array(
        decoded,
        channels=decoded.shape[2] - has_alpha,
        has_alpha=has_alpha,
        # Divided by alpha, colors are no integers.
        exact=reading.exact and not premultiplied,
    )
    if premultiplied and alpha is not None:
        _divide_by_alpha(pixels, alpha)
    compression = _COMPRESSIONS[int(page.compression)]
    return Image(
        pixels,
        alpha,
        bit_depth=np.iinfo(decoded.dtype).bits if decoded.dtype.kind == "u" else 32,
        format="TIFF",
        metadata=metadata_of_tags(tags, order, reading),
        lossless=True,
        coding={
            "compression": compression,
            "predictor": int(page.predictor) > 1,
            "byteorder": order,
            "premultiplied": premultiplied,
        },
    )


def _check_page(page: Any, size: int) -> None:
    """Refuses what cannot be kept, and pages of which data are missing."""
    check_size(page.imagewidth, page.imagelength, size)
    if page.is_tiled:
        check_size(page.tilewidth, page.tilelength, size)
    if int(page.compression) not in _COMPRESSIONS:
        raise RefusedError(
            f"is compressed by {getattr(page.compression, 'name', page.compression)}, "
            "which cannot be kept yet",
            "save it with another compression, such as LZW or ZIP",
        )
    colors = _COLORS.get(int(page.photometric), f"{getattr(page.photometric, 'name', 'odd')}")
    samples = page.samplesperpixel - len(page.extrasamples)
    if {_MINISWHITE: 1, _MINISBLACK: 1, _PALETTE: 1, _RGB: 3}.get(int(page.photometric)) != samples:
        raise RefusedError(
            f"has {colors} colors in {page.samplesperpixel} samples, which cannot be kept yet",
            "convert it to RGB or gray first",
        )
    if page.extrasamples and page.extrasamples not in ((_ASSOCIATED,), (_UNASSOCIATED,)):
        raise RefusedError(
            "has further channels that are not transparency", "save the picture without them"
        )
    few = page.bitspersample in (1, 2, 4) and samples == 1 and not page.extrasamples
    if page.dtype not in (np.bool_, np.uint8, np.uint16, np.float32) or (
        page.bitspersample != np.dtype(page.dtype).itemsize * 8 and not few
    ):
        raise RefusedError(
            f"has samples of {page.bitspersample} bits and type {page.dtype}, "
            "which cannot be kept yet",
            "convert it to 8 or 16 bits first",
        )
    if page.imagedepth > 1:
        raise RefusedError("is a volume, not a picture", "save its slices as pictures")
    across, down = page.imagewidth, page.rowsperstrip or page.imagelength
    if page.is_tiled:
        across, down = page.tilewidth, page.tilelength
    expected = -(-page.imagewidth // across) * -(-page.imagelength // down)
    if int(page.planarconfig) == 2:
        expected *= page.samplesperpixel
    pieces = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if len(pieces) < expected or any(at + count > size or not count for at, count in pieces):
        raise RefusedError("is truncated", COPY_AGAIN)


def _expand(decoded: np.ndarray, page: Any, reading: Reading) -> np.ndarray:
    """Brings samples to gray or RGB in which more is brighter, (height, width, samples)."""
    if decoded.dtype == np.bool_:
        decoded = decoded.astype(np.uint8)
    photometric = int(page.photometric)
    if photometric == _PALETTE:
        reading.notes.append("has a palette: its colors come back as RGB")
        palette = page.colormap
        # Of 16 bits by definition, mostly made of 8.
        if not (palette % 257).any() or not (palette & 255).any():
            palette = (palette >> 8).astype(np.uint8)
        return palette.T[decoded[..., 0]]
    if page.bitspersample < 8:
        decoded *= 255 // (2**page.bitspersample - 1)
    if photometric == _MINISWHITE:
        peak = 1 if decoded.dtype.kind == "f" else np.iinfo(decoded.dtype).max
        # Alpha, which comes last, has no negative.
        decoded[..., :1] = peak - decoded[..., :1]
    return decoded


def _divide_by_alpha(pixels: np.ndarray, alpha: np.ndarray) -> None:
    """Takes alpha out of colors; where it is 0, they stay as they are."""
    peak = 1 if alpha.dtype.kind == "f" else np.iinfo(alpha.dtype).max
    for row, opacity in zip(pixels, alpha, strict=True):
        share = opacity.astype(np.float32)[:, np.newaxis] / np.float32(peak)
        np.divide(row, share, out=row, where=share > 0)


def encode_tiff(samples: np.ndarray, image: Image) -> bytes:
    """Codes samples of any type that TIFF keeps, with the picture's metadata.

    Args:
        samples: (height, width) for gray, else (height, width, samples).
        image: Whose metadata, alpha and coding it is.
    """
    import tifffile

    coding = image.coding
    exif = image.metadata.exif
    # The tags' values are copied as they are, so their order of bytes is the file's.
    order = byte_order(exif) if exif else cast(ByteOrder, coding.get("byteorder", "<"))
    compression = coding.get("compression", "adobe_deflate")
    alpha = "assocalpha" if coding.get("premultiplied") else "unassalpha"
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, byteorder=order) as file:
        file.write(
            samples,
            photometric="minisblack" if samples.ndim == 2 or samples.shape[2] < 3 else "rgb",
            planarconfig="contig" if samples.ndim == 3 else None,
            extrasamples=[alpha] if image.alpha is not None else None,
            compression=compression,
            predictor=compression in _PREDICTABLE and coding.get("predictor", True),
            metadata=None,
            software=False,
        )
    add_tags(stream, image.metadata, order)
    return stream.getvalue()
