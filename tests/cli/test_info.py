"""The info command: what photos are, for people and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Command = Callable[..., Any]
Write = Callable[..., Path]

MAKE, MODEL, ORIENTATION, DIRECTORY, ISO = 0x010F, 0x0110, 0x0112, 0x8769, 0x8827


def write_camera_photo(path: Path, make: str, model: str) -> None:
    exif = Image.Exif()
    exif[MAKE], exif[MODEL], exif[ORIENTATION] = make, model, 6
    exif.get_ifd(DIRECTORY)[ISO] = 1600
    Image.new("RGB", (40, 30), "gray").save(path, exif=exif, icc_profile=b"profile" * 20)


def rows(outcome: Any) -> list[dict[str, Any]]:
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    return json.loads(outcome.out)


def test_json_says_all(command: Command, write_photo: Write):
    write_photo("a.png", (160, 240))
    (row,) = rows(command("info", "a.png", "--json"))
    edginess, sigma = row.pop("edginess"), row.pop("sigma")
    assert row == {
        "file": "a.png",
        "width": 240,
        "height": 160,
        "channels": 3,
        "bit_depth": 8,
        "format": "PNG",
        "lossless": True,
        "alpha": False,
        "icc": False,
        "orientation": None,
        "camera": None,
        "iso": None,
    }
    # The picture is noise of 40/255 and nothing else; E|a - b| = 2 sigma / sqrt(pi), twice.
    assert sigma == pytest.approx(40 / 255, rel=0.05)
    assert edginess == pytest.approx(4 / np.sqrt(np.pi) * 40 / 255, rel=0.05)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 600D", "Canon EOS 600D"),
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("SONY", "ILCE-7M2", "SONY ILCE-7M2"),
        ("", "Phone", "Phone"),
    ],
)
def test_the_camera_is_named_once(
    command: Command, tmp_path: Path, make: str, model: str, camera: str
):
    write_camera_photo(tmp_path / "a.jpg", make, model)
    (row,) = rows(command("info", "a.jpg", "--json"))
    assert (row["camera"], row["iso"], row["orientation"]) == (camera, 1600, 6)
    assert row["icc"]
    assert not row["lossless"]


def test_a_gray_picture_with_alpha(command: Command, tmp_path: Path):
    Image.new("LA", (20, 30), (90, 128)).save(tmp_path / "a.png")
    (row,) = rows(command("info", "a.png", "--json"))
    assert (row["channels"], row["alpha"], row["edginess"], row["sigma"]) == (1, True, 0, 0)


def test_people_get_a_block_for_each_photo(command: Command, tmp_path: Path, write_photo: Write):
    write_camera_photo(tmp_path / "a.jpg", "SONY", "ILCE-7M2")
    write_photo("b.webp", (8, 20))
    outcome = command("info", "a.jpg", "b.webp")
    assert outcome.code == 0
    assert outcome.err == ""
    lines = outcome.out.splitlines()
    second = lines.index("b.webp")
    assert lines[:second] == [
        "a.jpg",
        "  size         40 x 30 pixels, RGB, 8 bits",
        "  format       JPEG",
        "  orientation  6, shown rotated right",
        "  ICC profile  yes",
        "  camera       SONY ILCE-7M2",
        "  ISO          1600",
        "  edginess     0.0000",
        "  noise level  0.0/255",
    ]
    assert lines[second + 1 : second + 3] == [
        "  size         20 x 8 pixels, RGB, 8 bits",
        "  format       WebP",
    ]
    assert re.search("noise level .*small", lines[-1])


def test_a_small_photo_has_no_sigma(command: Command, write_photo: Write):
    write_photo("a.png", (15, 40))
    (row,) = rows(command("info", "a.png", "--json"))
    assert row["sigma"] is None
    assert row["edginess"] > 0


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_one_that_fails_does_not_stop_the_others(
    command: Command, write_photo: Write, tmp_path: Path, options: list[str]
):
    write_photo("a.png")
    write_photo("c.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    outcome = command("info", "a.png", "b.png", "none.png", "c.png", *options)
    assert outcome.code == 1
    first, second = outcome.err.splitlines()
    assert first.startswith("kerasdenoise: b.png: is not an image")
    assert re.search(r"none\.png: no such file.*path", second)
    if options:
        names = [row["file"] for row in json.loads(outcome.out)]
    else:
        names = [line for line in outcome.out.splitlines() if not line.startswith(" ")]
    assert names == ["a.png", "c.png"]


def test_exif_that_cannot_be_read_is_passed_over(command: Command, tmp_path: Path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (20, 20)).save(path, exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffjunk")
    (row,) = rows(command("info", "a.jpg", "--json"))
    assert (row["orientation"], row["camera"], row["iso"]) == (None, None, None)


def test_no_photo_is_a_wrong_request(command: Command):
    assert command("info").code == 2


def test_figures_that_are_no_numbers_are_null(command: Command, tmp_path: Path):
    values = np.full((64, 64), 0.5, np.float32)
    values[3, 3] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    (row,) = rows(command("info", "a.tif", "--json"))
    assert row["edginess"] is None
