from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from kerasdenoise.images.image import Image

MakePicture = Callable[..., PillowImage.Image]
MakePng = Callable[..., bytes]


@pytest.fixture
def make_picture() -> MakePicture:
    """A smooth Pillow picture with some noise, of any mode: `make_picture("LA", (5, 7))`."""

    def make(mode: str, size: tuple[int, int] = (23, 31)) -> PillowImage.Image:
        height, width = size
        rng = np.random.default_rng(len(mode))
        y, x = np.mgrid[0:height, 0:width]
        ramp = np.stack([4 * x + 40, 6 * y + 20, 2 * (x + y) + 60], axis=-1)
        color = (ramp + rng.integers(0, 8, ramp.shape)).clip(0, 255).astype(np.uint8)
        alpha = rng.integers(0, 256, size, dtype=np.uint8)
        alpha[::4] = 0
        rgb = PillowImage.fromarray(color)
        if mode in ("P", "P+tRNS"):
            picture = rgb.quantize(16)
            if mode == "P+tRNS":
                picture.info["transparency"] = bytes(range(0, 160, 10))
            return picture
        picture = rgb.convert(mode.removesuffix("A"))
        if mode in ("LA", "RGBA"):
            picture.putalpha(PillowImage.fromarray(alpha))
        return picture

    return make


@pytest.fixture
def encoded(make_picture: MakePicture) -> Callable[..., bytes]:
    """A file's content as Pillow writes it: `encoded("RGB", "JPEG", quality=90)`."""

    def encode(mode: str, file_format: str, **options: Any) -> bytes:
        stream = io.BytesIO()
        make_picture(mode).save(stream, file_format, **options)
        return stream.getvalue()

    return encode


@pytest.fixture
def make_png() -> MakePng:
    """A PNG file from its raw parts, also such as no encoder would write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    def make(
        size: tuple[int, int],
        bits: int,
        color: int,
        rows: Sequence[bytes],
        chunks: Sequence[tuple[bytes, bytes]] = (),
    ) -> bytes:
        height, width = size
        header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
        data = zlib.compress(b"".join(b"\x00" + row for row in rows))
        parts = [(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in parts)

    return make


@pytest.fixture
def make_image() -> Callable[..., Image]:
    """A random `Image` on the 8-bit scale: `make_image((5, 7), channels=1, alpha=True)`."""

    def make(
        size: tuple[int, int] = (5, 7), channels: int = 3, alpha: bool = False, **fields: Any
    ) -> Image:
        rng = np.random.default_rng(channels)
        samples = rng.integers(0, 256, (*size, channels), dtype=np.uint8)
        return Image(
            pixels=samples.astype(np.float32) / np.float32(255),
            alpha=rng.integers(0, 256, size, dtype=np.uint8) if alpha else None,
            **fields,
        )

    return make
