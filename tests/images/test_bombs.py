"""Small files that would take much memory or time, and files that are large and nothing else."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from kerasdenoise import runtime
from kerasdenoise.errors import InputError
from kerasdenoise.images.read import read_image
from kerasdenoise.images.refusal import Reading


def refused(data: bytes | Path, **options: Any) -> str:
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        read_image(data, **options)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20e6
    assert caught.value.remedy
    return str(caught.value)


def encode(file_format: str, mode: str = "RGB", size: tuple[int, int] = (900, 1200)) -> bytes:
    stream = io.BytesIO()
    if file_format == "TIFF":
        shape = (*size, len(mode)) if len(mode) > 1 else size
        tifffile.imwrite(stream, np.zeros(shape, np.uint8), compression="zstd", metadata=None)
    else:
        PillowImage.new(mode, (size[1], size[0])).save(stream, file_format)
    return stream.getvalue()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "BMP"])
def test_memory_is_known_before_decoding(file_format: str) -> None:
    data = encode(file_format)
    assert " 3M " in refused(data, max_memory=3_000_000, exact=True)
    read_image(data, max_memory=5_000_000, exact=True)
    # As float32 a picture takes four times as much.
    assert "of memory, more than the 5M that --max-memory" in refused(data, max_memory=5_000_000)


@pytest.mark.parametrize(("samples", "bits"), [(4, 8), (3, 16), (1, 16)])
def test_memory_goes_by_samples_and_bits(samples: int, bits: int) -> None:
    values = np.zeros((1000, 1000, samples), f"u{bits // 8}")
    stream = io.BytesIO()
    tifffile.imwrite(stream, values if samples > 1 else values[..., 0], metadata=None)
    data = stream.getvalue()
    with pytest.raises(InputError, match="memory"):
        read_image(data, max_memory=values.nbytes - 1, exact=True)
    read_image(data, max_memory=len(data), exact=True)


def test_half_of_what_is_free_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode("PNG")
    monkeypatch.setattr("kerasdenoise.images.refusal.free_memory", lambda: 6_000_000)
    assert "free" in refused(data, exact=True)
    monkeypatch.setattr("kerasdenoise.images.refusal.free_memory", lambda: None)
    read_image(data, exact=True)


def test_a_picture_of_900_megapixels_in_a_small_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kerasdenoise.images.refusal.free_memory", lambda: 4_000_000_000)
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(10**6)) * 900  # long enough for the limit of pixels in a byte
    chunks = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    assert "2.7G of memory" in refused(data, exact=True)


def test_a_large_file_that_is_no_picture_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    assert "not an image" in refused(path)
    # One that begins as a photo is refused by its length.
    with path.open("r+b") as file:
        file.write(encode("JPEG"))
    assert "of memory, more than the 1G" in refused(path, max_memory=10**9)


def test_a_jpeg_of_thousands_of_scans() -> None:
    stream = io.BytesIO()
    PillowImage.new("L", (640, 480), 99).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    start = time.process_time()
    assert read_image(data).pixels.shape == (480, 640, 1)
    once = time.process_time() - start
    end = data.rindex(b"\xff\xd9")
    # The last scan refines a coefficient; it may be repeated in the eyes of decoders.
    scan = data[data.rindex(b"\xff\xda") : end]
    many = data[:end] + scan * 30_000 + data[end:]
    start = time.process_time()
    assert "scans" in refused(many)
    assert time.process_time() - start < 100 * once  # rather than 30,000 times


def test_texts_are_inflated_within_one_budget(make_png: Callable[..., bytes]) -> None:
    bomb = zlib.compress(bytes(60_000_000), 9)
    texts = [(b"zTXt", b"Raw profile type %d\x00\x00" % n + bomb) for n in range(60)]
    data = make_png((1, 1), 8, 0, [b"\x07"], texts)
    assert len(read_image(data).metadata.texts) == 60
    reading = Reading()
    total = 0
    for _ in range(60):
        with contextlib.suppress(ValueError):
            total += len(reading.inflate(bomb))
    assert total == 60_000_000


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "1000 100000"}, 1),
        ({}, None),
    ],
)
def test_threads_follow_a_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int | None
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(runtime, "_control_groups", list)
    without = runtime.usable_cores()
    monkeypatch.setattr(runtime, "_control_groups", lambda: [tmp_path])
    assert runtime.usable_cores() == (without if cores is None else min(cores, without))


def test_memory_follows_a_containers_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_control_groups", lambda: [tmp_path])
    for name, content in (
        ("memory.max", "50000000"),
        ("memory.current", "30000000"),
        ("memory.stat", "anon 20000000\ninactive_file 5000000\n"),
    ):
        (tmp_path / name).write_text(content)
    assert runtime.free_memory() == 25_000_000
    (tmp_path / "memory.max").write_text("max")
    assert (runtime.free_memory() or 0) > 25_000_000 or os.name != "posix"
