"""TIFF files: their pages, and files of one page."""

from __future__ import annotations

import io
from typing import cast

import numpy as np

from kerasdenoise.images.decoded import take_array
from kerasdenoise.images.image import Image
from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError
from kerasdenoise.images.tags import ByteOrder, Directory, byte_order
from kerasdenoise.images.tiff_pixels import (
    ASSOCIATED,
    COMPRESSIONS,
    MINISWHITE,
    PALETTE,
    UNSPECIFIED,
    Page,
    decode_page,
    read_page,
)
from kerasdenoise.images.tiff_tags import (
    LAYERS,
    SUBFILE,
    add_tags,
    directories,
    first_number,
    metadata_of_tags,
)
from kerasdenoise.pixels import BAND_PIXELS, to_pixels, to_samples

_PREDICTABLE = ("lzw", "adobe_deflate", "deflate", "lzma", "zstd")
_EXTRA = {UNSPECIFIED: "unspecified", ASSOCIATED: "assocalpha"}
_REDUCED, _MASK = 1, 4
_COLOR_MAP = 320
# Samples that pixels have not are float32 on the way, and come back as they were.
_NATIVE = (np.uint8, np.uint16, np.float32)


def read_tiff(data: bytes, reading: Reading) -> Image:
    """Reads a TIFF file of one page; previews of it do not count.

    Alpha that colors are multiplied with is taken out of them, and put back on writing. Integers
    with a sign or of 32 bits, and floats of 16 or 64, are float32 in the picture; integers on the
    scale of their largest value.
    """
    order = byte_order(data)
    pages = list(directories(data, whole=True))
    kinds = [first_number(tags, SUBFILE, order) for tags in pages]
    full = [tags for tags, kind in zip(pages, kinds, strict=True) if not kind & (_REDUCED | _MASK)]
    if not full:
        raise RefusedError("has no page of full size", COPY_AGAIN)
    if len(full) > 1:
        reading.leave_out(
            f"holds {len(full)} pages, of which only the first would be left",
            "save each page as a file of its own",
        )
    tags = full[0]
    if any(kind & _MASK for kind in kinds):
        reading.notes.append("has a mask of what is transparent: it is left out")
    if LAYERS in tags:
        reading.notes.append("has Photoshop's layers: they are left out")
    page = read_page(tags, order)
    decoded = _expand(decode_page(data, page, order, reading), tags, page, order, reading)
    premultiplied = page.extra == (ASSOCIATED,)
    has_alpha = bool(page.extra)
    if page.extra == (UNSPECIFIED,):
        reading.notes.append("does not say what its last channel is: it is kept as transparency")
    pixels, alpha = take_array(
        decoded,
        channels=decoded.shape[2] - has_alpha,
        has_alpha=has_alpha,
        # Divided by alpha, colors are no integers.
        exact=reading.exact and not premultiplied,
    )
    if premultiplied and alpha is not None:
        _divide_by_alpha(pixels, alpha)
    return Image(
        pixels,
        alpha,
        bit_depth=decoded.dtype.itemsize * 8,
        format="TIFF",
        metadata=metadata_of_tags(tags, order),
        lossless=True,
        coding={
            "compression": COMPRESSIONS[page.compression],
            "predictor": page.predictor > 1,
            "byteorder": order,
            "premultiplied": premultiplied,
            "extra": _EXTRA.get(page.extra[0]) if page.extra else None,
            "samples": None if page.dtype in _NATIVE else page.dtype.name,
        },
    )


def _expand(
    decoded: np.ndarray, tags: Directory, page: Page, order: ByteOrder, reading: Reading
) -> np.ndarray:
    """Brings samples to gray or RGB of a type that pixels have, in which more is brighter."""
    if page.dtype not in _NATIVE:
        decoded = _to_floats(decoded)
        if page.dtype.itemsize > 2:
            reading.notes.append(
                f"has samples of type {page.dtype}: they are rounded to the precision of float32"
            )
    if page.photometric == PALETTE:
        reading.notes.append("has a palette: its colors come back as RGB")
        palette = np.array(tags[_COLOR_MAP].numbers(order), np.uint16).reshape(3, -1)
        # Of 16 bits by definition, mostly made of 8.
        if not (palette % 257).any() or not (palette & 255).any():
            palette = (palette >> 8).astype(np.uint8)
        colors = palette.T[decoded[..., 0]]
        if not page.extra:
            return colors
        if page.bits != colors.itemsize * 8:
            raise RefusedError(
                f"has a palette of {colors.itemsize * 8} bits and {page.bits} bits of transparency",
                "convert it to RGB first",
            )
        return np.concatenate([colors, decoded[..., 1:]], axis=2)
    if page.bits < 8:
        decoded *= 255 // (2**page.bits - 1)
    if page.photometric == MINISWHITE:
        peak = 1 if decoded.dtype.kind == "f" else np.iinfo(decoded.dtype).max
        # Alpha, which comes last, has no negative.
        decoded[..., :1] = peak - decoded[..., :1]
    return decoded


def _to_floats(decoded: np.ndarray) -> np.ndarray:
    floats = np.empty(decoded.shape, np.float32)
    rows = max(1, BAND_PIXELS // decoded.shape[1])
    for top in range(0, len(decoded), rows):
        floats[top : top + rows] = to_pixels(decoded[top : top + rows])
    return floats


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
    alpha = coding.get("extra") or "unassalpha"
    if samples.dtype == np.float32 and (kind := coding.get("samples")):
        samples = to_samples(samples, kind)
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
