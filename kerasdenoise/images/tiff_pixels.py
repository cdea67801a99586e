"""How a page of a TIFF file stores its samples, and the samples themselves.

Every sample of what is returned was decoded: nothing is filled in, and no piece may give more or
less than its place in the picture. Pages that say something else than TIFF 6 knows are refused.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError
from kerasdenoise.images.tags import ByteOrder, Directory

MINISWHITE, MINISBLACK, RGB, PALETTE = 0, 1, 2, 3
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2

COMPRESSIONS = {
    1: None,
    5: "lzw",
    8: "adobe_deflate",
    32946: "deflate",
    32773: "packbits",
    34925: "lzma",
    50000: "zstd",
}
"""What compression is called by its number, for those without loss."""

_LOSSY = {2: "CCITT", 3: "CCITT", 4: "CCITT", 6: "JPEG", 7: "JPEG", 34712: "JPEG 2000"}
_COLORS = {5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "Lab", 10: "Lab"}
_SAMPLES = {MINISWHITE: 1, MINISBLACK: 1, PALETTE: 1, RGB: 3}
# Kinds of samples (unsigned, signed, floating point) and their bits.
_TYPES = {
    **{(1, bits): np.dtype(f"u{bits // 8}") for bits in (8, 16, 32)},
    **{(2, bits): np.dtype(f"i{bits // 8}") for bits in (8, 16, 32)},
    **{(3, bits): np.dtype(f"f{bits // 8}") for bits in (16, 32, 64)},
    **{(1, bits): np.dtype(np.uint8) for bits in (1, 2, 4)},
}
_HORIZONTAL, _FLOATING_POINT = 2, 3
_PLANES = 2


@dataclass(frozen=True)
class Page:
    """What a page's tags say of its samples.

    Attributes:
        width: Pixels in a row.
        height: Rows.
        samples: Samples of a pixel.
        extra: What the last of them are that are no colors, by TIFF's numbers.
        photometric: What the others are, by TIFF's number.
        bits: Bits of a sample.
        dtype: Of the samples once they are decoded, in this machine's order of bytes.
        compression: TIFF's number.
        predictor: TIFF's number.
        planes: Whether each sample has pieces of its own.
        is_reversed: Whether the first pixel of a byte is its lowest bits.
        piece: Height and width of the pieces, strips or tiles, in which it is stored.
        is_tiled: Whether pieces at the edges are whole.
        places: Where each piece begins, and its bytes.
    """

    width: int
    height: int
    samples: int
    extra: tuple[int, ...]
    photometric: int
    bits: int
    dtype: np.dtype
    compression: int
    predictor: int
    planes: bool
    is_reversed: bool
    piece: tuple[int, int]
    is_tiled: bool
    places: list[tuple[int, int]]


def read_page(tags: Directory, order: ByteOrder) -> Page:
    """Reads what a page's tags say of its samples; refuses what cannot be kept.

    Args:
        tags: The page's directory.
        order: The file's order of bytes.
    """

    def numbers(number: int, *default: int) -> tuple[int, ...]:
        return tuple(tags[number].numbers(order)) if number in tags else default

    def number(number: int, default: int) -> int:
        return (*numbers(number), default)[0]

    width, height = number(256, 0), number(257, 0)
    samples, extra = number(277, 1), numbers(338)
    compression = number(259, 1)
    if compression not in COMPRESSIONS:
        raise RefusedError(
            f"is compressed by {_LOSSY.get(compression, compression)}, which is not supported yet",
            "save it with another compression, such as LZW or ZIP",
        )
    colors = samples - len(extra)
    # As libtiff does where a file does not say what its samples are.
    photometric = number(262, RGB if colors == 3 else MINISBLACK)
    if _SAMPLES.get(photometric) != colors:
        raise RefusedError(
            f"has {_COLORS.get(photometric, 'odd')} colors in {samples} samples, "
            "which cannot be kept yet",
            "convert it to RGB or gray first",
        )
    if extra not in ((), (UNSPECIFIED,), (ASSOCIATED,), (UNASSOCIATED,)):
        raise RefusedError(
            "has additional channels that are not transparency", "save the image without them"
        )
    depths = set(numbers(258)) or {1}
    # What is of no stated kind (4) is unsigned.
    kinds = {1 if kind == 4 else kind for kind in numbers(339)} or {1}
    bits = max(depths)
    dtype = _TYPES.get((max(kinds), bits)) if len(depths) == len(kinds) == 1 else None
    few = bits < 8
    if dtype is None or (few and samples > 1) or (photometric == PALETTE and dtype.kind != "u"):
        stated = " and ".join(map(str, sorted(depths)))
        raise RefusedError(
            f"has samples of {stated} bits of a kind that is not supported yet",
            "convert it to 8 or 16 bits first",
        )
    if number(32997, 1) > 1:
        raise RefusedError("is a volume, not an image", "save its slices as images")
    planar, fill, predictor = number(284, 1), number(266, 1), number(317, 1)
    floating = predictor == _FLOATING_POINT
    if (
        planar not in (1, _PLANES)
        or fill not in (1, 2)
        or predictor not in (1, _HORIZONTAL, _FLOATING_POINT)
        or (predictor > 1 and few)
        or (floating and dtype.kind != "f")
    ):
        raise RefusedError("is laid out unlike any valid TIFF file", COPY_AGAIN)
    is_tiled = 322 in tags
    rows = number(323, 0) if is_tiled else min(number(278, height), height)
    across = number(322, 0) if is_tiled else width
    offsets, counts = (numbers(tag) for tag in ((324, 325) if is_tiled else (273, 279)))
    return Page(
        width,
        height,
        samples,
        extra,
        photometric,
        bits,
        dtype,
        compression,
        predictor,
        planes=planar == _PLANES and samples > 1,
        is_reversed=fill == 2,
        piece=(rows, across),
        is_tiled=is_tiled,
        places=list(zip(offsets, counts, strict=False)),
    )


def decode_page(data: bytes, page: Page, order: ByteOrder, reading: Reading) -> np.ndarray:
    """Decodes all samples of a page.

    Args:
        data: The file's content.
        page: What its tags say.
        order: The file's order of bytes.
        reading: How much memory it may take.

    Returns:
        Shape (height, width, samples), as they stand in the file.
    """
    size = len(data)
    colors = max(page.samples, 3) if page.photometric == PALETTE else page.samples
    reading.check_size(
        page.width, page.height, size, reading.pixel_bytes(colors, page.dtype.itemsize * 8)
    )
    rows, across = page.piece
    in_piece = 1 if page.planes else page.samples
    reading.check_size(across, rows, size, in_piece * page.dtype.itemsize)
    down, wide = -(-page.height // rows), -(-page.width // across)
    planes = page.samples if page.planes else 1
    places = page.places[: down * wide * planes]
    if len(places) < down * wide * planes or any(
        not count or at + count > size for at, count in places
    ):
        raise RefusedError("is truncated", COPY_AGAIN)
    decoded = np.empty((page.height, page.width, page.samples), page.dtype)
    view = memoryview(data)
    for index, (at, count) in enumerate(places):
        plane, place = divmod(index, down * wide)
        top, left = place // wide * rows, place % wide * across
        height = rows if page.is_tiled else min(rows, page.height - top)
        piece = _decode_piece(view[at : at + count], page, order, (height, across, in_piece))
        target = decoded[top : top + rows, left : left + across]
        piece = piece[: target.shape[0], : target.shape[1]]
        if page.planes:
            target[..., plane] = piece[..., 0]
        else:
            target[...] = piece
    return decoded


def _decode_piece(
    packed: memoryview, page: Page, order: ByteOrder, shape: tuple[int, int, int]
) -> np.ndarray:
    """Decodes a strip or tile of (rows, width, samples)."""
    rows, width, samples = shape
    row_bytes = (width * samples * page.bits + 7) // 8
    if page.is_reversed:  # which compressed bytes are as well
        packed = memoryview(_REVERSED[np.frombuffer(packed, np.uint8)].tobytes())
    name = COMPRESSIONS[page.compression]
    content = packed if name is None else _UNPACKERS[name](packed, rows * row_bytes)
    if len(content) < rows * row_bytes:
        raise RefusedError("is truncated", COPY_AGAIN)
    values = np.frombuffer(content, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    if page.bits < 8:
        bits = np.unpackbits(values, axis=1)[:, : width * page.bits]
        return np.packbits(bits.reshape(rows, width, 1, page.bits), axis=3)[..., 0] >> (
            8 - page.bits
        )
    if page.predictor == _FLOATING_POINT:
        # Differences of bytes; of each row first the highest bytes of all its numbers.
        values = np.cumsum(values.reshape(rows, -1, samples), axis=1, dtype=np.uint8)
        values = values.reshape(rows, page.dtype.itemsize, -1).swapaxes(1, 2)
        return np.ascontiguousarray(values).view(page.dtype.newbyteorder(">")).reshape(shape)
    piece = values.view(page.dtype.newbyteorder(order)).reshape(shape)
    if page.predictor == _HORIZONTAL:
        whole = np.dtype(f"u{page.dtype.itemsize}")  # differences wrap, of floats too
        native = piece.astype(page.dtype, copy=False).view(whole)
        piece = np.cumsum(native, axis=1, dtype=whole).view(page.dtype)
    return piece


def _inflate(packed: memoryview, size: int) -> bytes:
    return zlib.decompressobj().decompress(packed, size)


def _unpack(name: str) -> Callable[[memoryview, int], bytes]:
    def unpack(packed: memoryview, size: int) -> bytes:
        import imagecodecs

        # No more than this is written, whatever the piece claims to hold.
        return getattr(imagecodecs, f"{name}_decode")(packed, out=size)

    return unpack


_UNPACKERS: dict[str, Callable[[memoryview, int], bytes]] = {
    "deflate": _inflate,
    "adobe_deflate": _inflate,
    **{name: _unpack(name) for name in ("lzw", "packbits", "lzma", "zstd")},
}

_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1])
