"""Every way to store a picture that PNG 3 allows: read exactly, whatever the filter and the order.

The files are encoded here, sample by sample, so that what they hold needs no decoder to know.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from kerasdenoise.errors import InputError
from kerasdenoise.images.read import read_image

RNG = np.random.default_rng(4)
# Neither side is a multiple of eight, so that passes and bytes of few-bit rows end unevenly.
HEIGHT, WIDTH = 13, 19

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
SAMPLES = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
DEPTHS = {GRAY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8)}
KINDS = [(color, bits) for color in SAMPLES for bits in DEPTHS.get(color, (8, 16))]

# First row and column, and steps, of Adam7's passes.
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
ADAM7.append((1, 0, 2, 1))


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))


def pack(rows: np.ndarray, bits: int) -> np.ndarray:
    """(rows, columns, samples) to the bytes of each row."""
    if bits == 16:
        return rows.astype(">u2").reshape(len(rows), -1).view(np.uint8)
    flat = rows.reshape(len(rows), -1, 1).astype(np.uint8)
    return np.packbits(np.unpackbits(flat, axis=2)[..., 8 - bits :].reshape(len(rows), -1), axis=1)


def paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    distances = [abs(guess - left), abs(guess - above), abs(guess - corner)]
    return (left, above, corner)[distances.index(min(distances))]


def apply_filter(rows: np.ndarray, number: int, step: int) -> bytes:
    """Filters rows of bytes, as section 9 of the standard says, and puts the number before each."""
    lines = bytearray()
    before = [0] * rows.shape[1]
    for row in rows.tolist():
        lines.append(number)
        for index, value in enumerate(row):
            left = row[index - step] if index >= step else 0
            corner = before[index - step] if index >= step else 0
            guess = (0, left, before[index], (left + before[index]) // 2)
            predicted = guess[number] if number < 4 else paeth(left, before[index], corner)
            lines.append((value - predicted) % 256)
        before = row
    return bytes(lines)


def encode(
    samples: np.ndarray,
    color: int,
    bits: int,
    *,
    filtered: int = 0,
    interlaced: bool = False,
    chunks: bytes = b"",
) -> bytes:
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    step = max(1, samples.shape[2] * bits // 8)
    parts = [samples[top::down, left::right] for top, left, down, right in passes]
    lines = b"".join(apply_filter(pack(part, bits), filtered, step) for part in parts if part.size)
    height, width = samples.shape[:2]
    header = struct.pack(">LLBBBBB", width, height, bits, color, 0, 0, interlaced)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunks,
            chunk(b"IDAT", zlib.compress(lines)),
            chunk(b"IEND", b""),
        )
    )


def draw(color: int, bits: int) -> np.ndarray:
    return RNG.integers(0, 2**bits, (HEIGHT, WIDTH, SAMPLES[color]), np.uint16)


def check(data: bytes, colors: np.ndarray, alpha: np.ndarray | None, bits: int) -> None:
    """Compares what is read with samples of so many bits."""
    image = read_image(data)
    peak = 2**bits - 1
    np.testing.assert_array_equal(image.pixels, (colors / peak).astype(np.float32))
    if alpha is None:
        assert image.alpha is None
        return
    assert image.alpha is not None
    np.testing.assert_array_equal(image.alpha / np.iinfo(image.alpha.dtype).max, alpha / peak)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("filtered", range(5))
@pytest.mark.parametrize(("color", "bits"), KINDS)
def test_samples_are_those_that_were_encoded(
    color: int, bits: int, filtered: int, interlaced: bool
) -> None:
    samples = draw(color, bits)
    palette = RNG.integers(0, 256, (2**bits, 3), np.uint8)
    chunks = chunk(b"PLTE", palette.tobytes()) if color == PALETTE else b""
    data = encode(samples, color, bits, filtered=filtered, interlaced=interlaced, chunks=chunks)
    if color == PALETTE:
        check(data, palette[samples[..., 0]], None, 8)
        return
    has_alpha = color in (GRAY_ALPHA, RGBA)
    colors = samples[..., : samples.shape[2] - has_alpha]
    check(data, colors, samples[..., -1] if has_alpha else None, bits)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("color", "bits"), [(color, bits) for color, bits in KINDS if color in (GRAY, RGB)]
)
def test_one_color_is_transparent(color: int, bits: int, interlaced: bool) -> None:
    samples = draw(color, bits)
    key = samples[5, 7]
    samples[8, :4] = key
    chunks = chunk(b"tRNS", key.astype(">u2").tobytes())
    data = encode(samples, color, bits, interlaced=interlaced, chunks=chunks)
    opaque = np.where((samples == key).all(axis=-1), 0, 2**bits - 1)
    check(data, samples, opaque, bits)


@pytest.mark.parametrize("entries", [1, 2])
@pytest.mark.parametrize("bits", DEPTHS[PALETTE])
def test_a_palette_has_transparent_colors(bits: int, entries: int) -> None:
    samples = draw(PALETTE, bits)
    palette = RNG.integers(0, 256, (2**bits, 3), np.uint8)
    given = RNG.integers(0, 256, entries, np.uint8)
    chunks = chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", given.tobytes())
    # The standard: colors beyond those that are named are opaque.
    alphas = np.concatenate([given, np.full(2**bits - entries, 255)])
    index = samples[..., 0]
    check(encode(samples, PALETTE, bits, chunks=chunks), palette[index], alphas[index], 8)


@pytest.mark.parametrize(
    ("color", "bits"), [(1, 8), (5, 8), (7, 8), (RGB, 4), (PALETTE, 16), (RGBA, 2), (GRAY, 3)]
)
def test_what_the_standard_forbids_is_refused(color: int, bits: int) -> None:
    samples = RNG.integers(0, 2, (HEIGHT, WIDTH, SAMPLES.get(color, 1)), np.uint16)
    with pytest.raises(InputError):
        read_image(encode(samples, color, bits))


@pytest.mark.parametrize("field", [10, 11, 12])
def test_unknown_methods_are_refused(field: int) -> None:
    data = bytearray(encode(draw(RGB, 8), RGB, 8))
    header = data[16:29]
    header[field] = 7  # compression, filter or interlace method
    data[8:33] = chunk(b"IHDR", bytes(header))
    with pytest.raises(InputError):
        read_image(bytes(data))


def test_pixels_beyond_the_palette_are_not_made_up() -> None:
    samples = np.full((HEIGHT, WIDTH, 1), 200, np.uint16)
    data = encode(samples, PALETTE, 8, chunks=chunk(b"PLTE", bytes(range(9))))
    try:
        pixels = read_image(data).pixels
    except InputError:
        return
    # Section 11.2.2 leaves it to the decoder; libpng and Pillow take black.
    assert not pixels.any()


def test_missing_rows_are_refused() -> None:
    samples = draw(RGB, 8)
    whole = encode(samples, RGB, 8)
    start = whole.index(b"IDAT") - 4
    lines = apply_filter(pack(samples[: HEIGHT // 2], 8), 0, 3)
    short = whole[:start] + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    with pytest.raises(InputError):
        read_image(short)
