"""BMP files: decoded by Pillow, written here, as Pillow leaves out alpha and profile."""

from __future__ import annotations

import struct

import numpy as np

from kerasdenoise.images.decoding import decode, open_picture, take_array
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError
from kerasdenoise.pixels import to_samples

_INCH = 0.0254
_FILE_HEADER = 14
# The fifth version of the header: the first with room for a profile.
_HEADER = 124
_MASKS, _PLAIN = 3, 0
_SRGB, _PROFILE, _LINK = b"BGRs", b"DEBM", b"KNIL"
# Where the header says where the profile is, and its size.
_PLACE = _FILE_HEADER + 112
# The fourth version: the first with colors of its own.
_COLORS = 108


def read_bmp(data: bytes, reading: Reading) -> Image:
    """Reads a BMP file; refuses one that ends before its pixels do."""
    start, size, width, height, _, bits, packing = struct.unpack_from("<10xLLllHHL", data)
    masked = packing == _MASKS and size >= 40 and bits in (16, 32)
    if masked:  # of which Pillow knows a few
        reading.check_size(width, abs(height), len(data), reading.pixel_bytes(4))
    picture = None if masked else open_picture(data, "BMP", reading)
    # Runs of pixels have no length that could be told beforehand.
    if packing in (_PLAIN, _MASKS) and size >= 40:
        area = (abs(width) * bits + 31) // 32 * 4 * abs(height)
        if start + area > len(data):
            raise RefusedError("is truncated", COPY_AGAIN)
        if bits == 32 and packing == _PLAIN and _fourth_bytes_differ(data, start, area):
            reading.notes.append(
                "has a fourth byte per pixel that BMP does not call alpha: it is dropped"
            )
        end = max(start + area, _profile_end(data) if size >= _HEADER else 0)
        reading.note_behind(memoryview(data)[end:])
    if picture is None:
        pixels, alpha = _decode_masks(data, start, (abs(width), height), bits, size, reading)
    else:
        pixels, alpha = decode(picture, reading)
    profile = _profile(data, reading) if size >= _HEADER else None
    if size >= _COLORS and data[70:74] == bytes(4) and any(data[74:122]):
        reading.notes.append("has its own primaries and tone curves: they are dropped")
    across, down = struct.unpack_from("<ll", data, 38) if size >= 40 else (0, 0)
    dpi = (across * _INCH, down * _INCH) if across > 0 and down > 0 else None
    metadata = Metadata(icc=profile, dpi=dpi)
    return Image(pixels, alpha, format="BMP", metadata=metadata, lossless=True)


def _decode_masks(
    data: bytes, start: int, shape: tuple[int, int], bits: int, size: int, reading: Reading
) -> tuple[np.ndarray, np.ndarray | None]:
    """Decodes pixels of which masks say where in a number each color is."""
    width, height = shape
    masks = struct.unpack_from("<4L", data, _FILE_HEADER + 40)[: 4 if size >= 56 else 3]
    row = (width * bits + 31) // 32 * 4
    rows = np.frombuffer(data, np.uint8, row * abs(height), start).reshape(-1, row)
    values = rows.view(f"<u{bits // 8}")[:, :width]
    if height > 0:
        values = values[::-1]
    samples = []
    for mask in masks if masks[3:] != (0,) else masks[:3]:
        shift = (mask & -mask).bit_length() - 1
        most = mask >> shift if mask else 0
        if not 0 < most < 256 or most & (most + 1):
            raise RefusedError(
                f"has a mask of {mask:#x}, which is not a color of up to 8 bits",
                "convert it to 24 bits first",
            )
        level = (values & values.dtype.type(mask)) >> shift
        samples.append(to_samples(np.arange(most + 1) / most, np.uint8)[level])
    return take_array(
        np.stack(samples, axis=2), channels=3, has_alpha=len(samples) == 4, exact=reading.exact
    )


def _fourth_bytes_differ(data: bytes, start: int, size: int) -> bool:
    """Whether what should be padding says something, as it does where others write alpha."""
    spare = np.frombuffer(data, np.uint8, size, start)[3::4]
    return bool((spare != spare[0]).any())


def _profile(data: bytes, reading: Reading) -> bytes | None:
    kind = data[_FILE_HEADER + 56 : _FILE_HEADER + 60]
    at, size = struct.unpack_from("<LL", data, _PLACE)
    profile = data[_FILE_HEADER + at : _FILE_HEADER + at + size]
    if kind == _LINK:
        reading.notes.append("has a color profile in another file: it is dropped")
    if kind != _PROFILE or not size:
        return None
    if len(profile) < size:
        raise RefusedError("is truncated", COPY_AGAIN)
    return profile


def _profile_end(data: bytes) -> int:
    """Returns where the profile ends, which stands behind the pixels."""
    return _FILE_HEADER + sum(struct.unpack_from("<LL", data, _PLACE))


def encode_bmp(samples: np.ndarray, image: Image) -> bytes:
    """Codes samples of 8 bits, gray or RGB, with alpha or a profile where there is one.

    Args:
        samples: uint8 of shape (height, width) or (height, width, 3 or 4).
        image: Whose metadata it is.
    """
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    if channels > 2:
        samples = samples[..., [2, 1, 0, 3][:channels]]
    row = (width * channels + 3) // 4 * 4
    rows = np.zeros((height, row), np.uint8)
    rows[:, : width * channels] = samples[::-1].reshape(height, -1)
    palette = b"".join(bytes((value, value, value, 0)) for value in range(256 * (channels == 1)))
    start = _FILE_HEADER + _HEADER + len(palette)
    profile = image.metadata.icc or b""
    across, down = _resolution(image.metadata.dpi)
    header = struct.pack(
        "<LllHHLLllLL",
        *(_HEADER, width, height, 1, 8 * channels, _MASKS if channels == 4 else _PLAIN),
        *(rows.size, across, down, 256 if channels == 1 else 0, 0),
    )
    header += struct.pack(
        "<4L", *((0xFF0000, 0xFF00, 0xFF, 0xFF000000) if channels == 4 else [0] * 4)
    )
    header += (_PROFILE if profile else _SRGB) + bytes(48)
    place = start - _FILE_HEADER + rows.size if profile else 0
    header += struct.pack("<LLLL", 4, place, len(profile), 0)
    total = start + rows.size + len(profile)
    return b"".join(
        [b"BM", struct.pack("<LLL", total, 0, start), header, palette, rows.tobytes(), profile]
    )


def _resolution(dpi: tuple[float, float] | None) -> tuple[int, int]:
    """Returns pixels per meter, 0 where they are unknown or no such number."""
    across, down = (round(value / _INCH) for value in dpi or (0, 0))
    return (across, down) if 0 < across < 2**31 and 0 < down < 2**31 else (0, 0)
