from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import tifffile

from kerasdenoise.images.read import read_image

Encoded = Callable[..., bytes]


def jpeg(encoded: Encoded, across: int, down: int, unit: int) -> bytes:
    data = bytearray(encoded("RGB", "JPEG"))
    assert data[6:11] == b"JFIF\x00"
    struct.pack_into(">BHH", data, 13, unit, across, down)
    return bytes(data)


def png(encoded: Encoded, across: int, down: int, unit: int) -> bytes:
    data = encoded("RGB", "PNG")
    body = b"pHYs" + struct.pack(">IIB", across, down, unit)
    return data[:33] + struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body)) + data[33:]


def tiff(_: Encoded, across: int, down: int, unit: int) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        np.zeros((9, 8, 3), np.uint8),
        photometric="rgb",
        metadata=None,
        resolution=(across, down),
        resolutionunit=unit + 1,
    )
    return stream.getvalue()


@pytest.mark.parametrize("make", [jpeg, png, tiff])
def test_pixels_that_are_not_square_are_noted(make: Callable[..., bytes], encoded: Encoded) -> None:
    image = read_image(make(encoded, 2, 1, 0))
    assert image.metadata.dpi is None
    (note,) = image.notes
    assert "not square (1:2)" in note
    # Square ones say nothing, and with a unit they are dots per inch.
    assert read_image(make(encoded, 1, 1, 0)).notes == ()
    image = read_image(make(encoded, 200, 100, 1))
    assert image.notes == ()
    assert image.metadata.dpi is not None
