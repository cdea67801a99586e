from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from kerasdenoise.cli.header import read_size


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif", "bmp"])
def test_the_size_is_that_of_the_header(write_photo: Callable[..., Path], suffix: str):
    assert read_size(write_photo(f"a.{suffix}", (40, 56))) == (56, 40)


def test_the_size_of_a_big_tiff(tmp_path: Path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((5, 7), np.uint8), bigtiff=True, byteorder=">")
    assert read_size(path) == (7, 5)


@pytest.mark.parametrize("content", [b"", b"II*\0", b"%!PS-Adobe-3.0 EPSF", b"x" * 99])
def test_what_says_none_has_none(tmp_path: Path, content: bytes):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    assert read_size(path) is None
    assert read_size(tmp_path / "missing.png") is None


def test_tags_that_share_a_value_take_no_memory(tmp_path: Path):
    entries = b"".join(struct.pack("<HHLL", 700 + n, 7, 100_000, 16) for n in range(1500))
    head = b"II*\0" + struct.pack("<L", 100_016) + bytes(100_008)
    path = tmp_path / "a.tif"
    path.write_bytes(head + struct.pack("<H", 1500) + entries + bytes(4))
    assert read_size(path) is None
