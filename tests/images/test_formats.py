from __future__ import annotations

from typing import Any

import pytest
from PIL import Image as PillowImage

from kerasdenoise.images.formats import (
    FORMATS,
    foreign_format,
    format_of_content,
    format_of_suffix,
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.jpg", "JPEG"),
        ("a.JPEG", "JPEG"),
        ("x.png/a.Jpe", "JPEG"),
        ("a.b.PNG", "PNG"),
        ("a.webp", "WEBP"),
        ("a.tif", None),
        ("png", None),
        (".png", None),
        ("a.", None),
        ("", None),
    ],
)
def test_suffix_decides_in_any_case_of_letters(path: str, name: str | None) -> None:
    row = format_of_suffix(path)
    assert (row.name if row else None) == name


def test_no_suffix_stands_for_two_formats() -> None:
    suffixes = [suffix for row in FORMATS.values() for suffix in row.extensions]
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_pillow_knows_every_format_by_its_name(name: str) -> None:
    PillowImage.init()
    assert name in PillowImage.OPEN
    assert name in PillowImage.SAVE
    assert PillowImage.MIME[name] == FORMATS[name].mime
    assert {PillowImage.EXTENSION[suffix] for suffix in FORMATS[name].extensions} == {name}


@pytest.mark.parametrize(
    ("data", "name", "foreign"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG", None),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "WEBP", None),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None, None),
        (b"II*\x00\x08\x00", None, "TIFF"),
        (b"GIF89a", None, "GIF"),
        (b"\x00\x00\x00\x1cftypheic", None, "HEIF"),
        (b"\x00\x00\x00\x1cftypavif", None, "AVIF"),
        (b"BMx", None, None),
        (b"", None, None),
    ],
)
def test_content_decides(data: bytes, name: str | None, foreign: str | None) -> None:
    row = format_of_content(data)
    assert (row.name if row else None) == name
    assert foreign_format(data) == foreign


@pytest.mark.parametrize(
    ("name", "lossless", "options"),
    [
        ("JPEG", True, {"quality": 95, "subsampling": "4:4:4"}),
        ("JPEG", False, {"quality": 95, "subsampling": "4:4:4"}),
        ("PNG", False, {}),
        ("WEBP", False, {"quality": 95, "exact": True}),
        ("WEBP", True, {"lossless": True, "exact": True}),
    ],
)
def test_loss_is_the_files_own_where_there_is_a_choice(
    name: str, lossless: bool, options: dict[str, Any]
) -> None:
    assert FORMATS[name].save_options(lossless=lossless) == options
