"""TIFF files: their pages, and files of one page."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from fractions import Fraction
from typing import cast

import numpy as np

from kerasdenoise.images.decoding import take_array
from kerasdenoise.images.image import Image, Metadata, Resolution
from kerasdenoise.images.photoshop import iptc_of, resources_of
from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError
from kerasdenoise.images.tags import (
    DNG_VERSION,
    ORIENTATION,
    SUB_DIRECTORIES,
    ByteOrder,
    Directory,
    Tag,
    byte_order,
    directories,
    first_directory,
    first_number,
    pack_block,
    pack_directory,
    read_directory,
)
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
from kerasdenoise.pixels import BAND_PIXELS, to_pixels, to_samples

# Tags by their numbers.
_SUBFILE, _COLOR_MAP, _LAYERS = 254, 320, 37724
_ACROSS, _DOWN, _UNIT = 282, 283, 296
_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675
# How pixels are laid out, which is the writer's affair, and blocks with a place of their own.
_STRUCTURE = {
    *(_SUBFILE, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281),
    *(_ACROSS, _DOWN, 284, 288, 289, 290, 291, 292, 293, _UNIT, 297, 317, _COLOR_MAP, 321, 322),
    *(323, 324, 325, SUB_DIRECTORIES, 332, 333, 334, 336, 338, 339, 340, 341, 342, 347),
    *(512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
    *(_XMP, _IPTC, _PHOTOSHOP, _ICC, _LAYERS),
}
# What describes raw data: the mosaic of colors, and all tags of DNG.
_RAW_TAGS = {33421, 33422, *range(DNG_VERSION, 53000)}
# How many of a unit, which goes by its number, an inch has.
_UNITS = {2: 1.0, 3: 2.54}
# The last of the types of values that files of less than 4 GB have.
_LAST_CLASSIC = 13

_PREDICTABLE = ("lzw", "adobe_deflate", "deflate", "lzma", "zstd")
_EXTRA = {UNSPECIFIED: "unspecified", ASSOCIATED: "assocalpha"}
_REDUCED, _MASK = 1, 4
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
    kinds = [first_number(tags, _SUBFILE, order) for tags in pages]
    full = _full_pages(pages, order)
    if not full:
        raise RefusedError("has no page of full size", COPY_AGAIN)
    if reading.page is None and len(full) > 1:
        reading.leave_out(
            f"holds {len(full)} pages, of which only the first would be left",
            "save each page as a file of its own",
        )
    tags = full[reading.page or 0]
    if any(kind & _MASK for kind in kinds):
        reading.notes.append("has a transparency mask: it is dropped")
    if any(kind & _REDUCED and not kind & _MASK for kind in kinds) or SUB_DIRECTORIES in tags:
        reading.notes.append("has previews or other pages inside its pages: they are dropped")
    reading.note_lost(
        "tags",
        [b"%d" % number for number, tag in tags.items() if _is_lost(number, tag)],
    )
    if _LAYERS in tags:
        reading.notes.append("has Photoshop layers: they are dropped")
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
        metadata=_metadata_of_tags(tags, order, reading),
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


def count_pages(data: bytes) -> int:
    """Counts the pages of a TIFF file that are no previews and no masks."""
    return len(_full_pages(list(directories(data, whole=True)), byte_order(data)))


def _full_pages(pages: list[Directory], order: ByteOrder) -> list[Directory]:
    others = _REDUCED | _MASK
    return [tags for tags in pages if not first_number(tags, _SUBFILE, order) & others]


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
        reading.notes.append("has a palette: the result is RGB")
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


def _is_lost(number: int, tag: Tag) -> bool:
    return number not in _STRUCTURE and not _classic({number: tag})


def exif_of_tags(tags: Directory, order: ByteOrder, *, upright: bool = False) -> bytes | None:
    """Makes an EXIF block of the tags of a page, but for those of its layout.

    Args:
        tags: The page's directory.
        order: The file's order of bytes.
        upright: Whether the orientation tag and what describes raw data are left out.

    Returns:
        The block, or None where no tags are left.
    """
    kept = {
        number: tag
        for number, tag in tags.items()
        if number not in _STRUCTURE
        and not (upright and (number == ORIENTATION or number in _RAW_TAGS))
    }
    classic = _classic(kept)
    return pack_block(classic, order) if classic else None


def _classic(tags: Directory) -> Directory:
    """Leaves out values of BigTIFF's types, which EXIF has not; what leads to directories stays."""
    return {
        number: replace(tag, directory=tag.directory and _classic(tag.directory))
        for number, tag in tags.items()
        if tag.kind <= _LAST_CLASSIC or tag.directory is not None
    }


def _metadata_of_tags(tags: Directory, order: ByteOrder, reading: Reading) -> Metadata:
    """Returns what travels untouched of a page's directory.

    Args:
        tags: The page's directory.
        order: The file's order of bytes.
        reading: What gets a note if the resolution is damaged.
    """

    def block(number: int) -> bytes | None:
        return tags[number].value if number in tags else None

    dpi, density = _resolution(tags, order, reading)
    photoshop = block(_PHOTOSHOP)
    iptc = block(_IPTC)
    if iptc and not iptc_of(photoshop or b""):
        photoshop = (photoshop or b"") + resources_of(iptc)
    return Metadata(
        icc=block(_ICC),
        exif=exif_of_tags(tags, order),
        xmp=block(_XMP),
        photoshop=photoshop,
        density=density,
        dpi=dpi,
    )


def _resolution(tags: Directory, order: str, reading: Reading) -> tuple[Resolution, Resolution]:
    """Returns dots per inch, and the density where there is no unit."""
    values = [tags[number].numbers(order) for number in (_ACROSS, _DOWN) if number in tags]
    if not values:
        return None, None
    if [len(value) for value in values] != [2, 2] or not all(map(all, values)):
        reading.notes.append("has a damaged resolution: it is dropped")
        return None, None
    across, down = (value[0] / value[1] for value in values)
    unit = _UNITS.get(first_number(tags, _UNIT, order, 2))
    if unit is not None:
        return (across * unit, down * unit), None
    return None, (across, down) if (across, down) != (1, 1) else None


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
    _add_tags(stream, image.metadata, order)
    return stream.getvalue()


def _tags_of(metadata: Metadata, order: str) -> Directory:
    """Returns the tags that a file gets beside those of its layout."""
    tags: Directory = {}
    if metadata.exif:
        tags = read_directory(metadata.exif, first_directory(metadata.exif))
        # The resolution that a file states outside EXIF goes before.
        stated = metadata.dpi or metadata.density
        allowed = _STRUCTURE if stated else _STRUCTURE - {_ACROSS, _DOWN, _UNIT}
        tags = {number: tag for number, tag in tags.items() if number not in allowed}
    blocks = {
        _XMP: (1, metadata.xmp),
        _PHOTOSHOP: (7, metadata.photoshop),
        _IPTC: (7, iptc_of(metadata.photoshop or b"")),
        _ICC: (7, metadata.icc),
    }
    for number, (kind, value) in blocks.items():
        if value:
            tags[number] = Tag(kind, len(value), value)
    resolution = metadata.dpi or metadata.density
    if resolution:
        for number, value in zip((_ACROSS, _DOWN), resolution, strict=True):
            exact = Fraction(value).limit_denominator(2**32 // (int(value) + 2))
            parts = struct.pack(f"{order}LL", exact.numerator, exact.denominator)
            tags[number] = Tag(5, 1, parts)
        tags[_UNIT] = Tag(3, 1, struct.pack(f"{order}H", 2 if metadata.dpi else 1))
    return tags


def _add_tags(file: io.BytesIO, metadata: Metadata, order: ByteOrder) -> None:
    """Adds metadata to a file of one page, whose directory moves to its end.

    Args:
        file: The file, which is changed where it stands, as it may be large.
        metadata: What it gets; EXIF in its own order of bytes.
        order: The file's order of bytes.

    Raises:
        ValueError: The file would be too long for the places that its tags can state.
    """
    more = _tags_of(metadata, order)
    data = file.getvalue()
    size = len(data)
    own = read_directory(data, first_directory(data))
    del data  # which, while it is held, is copied when the file changes
    # Its resolution is made up where none is known.
    tags = {number: tag for number, tag in own.items() if number not in (_ACROSS, _DOWN, _UNIT)}
    at = size + size % 2
    if at + 2**20 + sum(len(tag.value) for tag in more.values()) > 2**32:
        raise ValueError("it would be longer than 4 GB")
    file.seek(4)
    file.write(struct.pack(f"{order}L", at))
    file.seek(size)
    file.write(bytes(at - size) + pack_directory(tags | more, order, at))
