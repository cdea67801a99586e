from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from PIL import Image as PillowImage

from kerasdenoise.images.formats import (
    FORMATS,
    foreign_format,
    format_of_content,
    format_of_suffix,
    known_suffixes,
    suffix_of_result,
)
from kerasdenoise.images.image import Metadata


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.jpg", "JPEG"),
        ("a.JPEG", "JPEG"),
        ("x.png/a.Jpe", "JPEG"),
        ("a.b.PNG", "PNG"),
        ("a.webp", "WEBP"),
        ("a.tif", "TIFF"),
        ("a.NEF", "RAW"),
        ("a.gif", None),
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


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"HEIF", "RAW"}))
def test_pillow_knows_every_format_by_its_name(name: str) -> None:
    PillowImage.init()
    assert name in PillowImage.OPEN
    assert name in PillowImage.SAVE
    assert PillowImage.MIME[name] == FORMATS[name].mime
    assert {PillowImage.EXTENSION[suffix] for suffix in FORMATS[name].extensions} == {name}


def test_what_a_format_keeps_is_a_field_of_metadata() -> None:
    known = {field.name for field in fields(Metadata)}
    assert all(row.metadata <= known for row in FORMATS.values())


@pytest.mark.parametrize(
    ("source", "suffix"),
    [("a.jpg", ".jpg"), ("x/a.TIF", ".TIF"), ("a.CR3", ".tif"), ("a.dng", ".tif"), ("a", "")],
)
def test_camera_raw_becomes_tiff(source: str, suffix: str) -> None:
    assert suffix_of_result(source) == suffix


def test_only_what_can_be_written_is_offered() -> None:
    assert ".heic" in known_suffixes()
    assert ".nef" not in known_suffixes()


@pytest.mark.parametrize(
    ("data", "name", "foreign"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG", None),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "WEBP", None),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None, None),
        (b"II*\x00\x08\x00", "TIFF", None),
        (b"MM\x00+\x00\x08", "TIFF", None),
        (b"FUJIFILMCCD-RAW", "RAW", None),
        (b"GIF89a", None, "GIF"),
        (b"\x00\x00\x00\x1cftypheic", "HEIF", None),
        (b"\x00\x00\x00\x1cftypavif", "AVIF", None),
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


def test_quality_is_for_formats_with_loss_and_spares_alpha() -> None:
    assert FORMATS["WEBP"].save_options(lossless=False, quality=40)["quality"] == 40
    assert "quality" not in FORMATS["WEBP"].save_options(lossless=True, quality=40)
    assert FORMATS["AVIF"].save_options(lossless=False, quality=40)["quality"] == 40
    assert FORMATS["AVIF"].save_options(lossless=False, quality=40, alpha=True)["quality"] == 100
