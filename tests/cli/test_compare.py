"""The compare command: figures and pictures of two files, or three."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.cli import compare


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Gray levels 100, 110 and 130 as three PNG files."""
    files = []
    for name, level in (("a.png", 100), ("b.png", 110), ("c.png", 130)):
        Image.fromarray(np.full((16, 20, 3), level, np.uint8)).save(tmp_path / name)
        files.append(tmp_path / name)
    return files


def level_psnr(difference: int) -> float:
    return 20 * np.log10(255 / difference)


def test_second_is_measured_against_first(command: Callable, pictures: list[Path]):
    result = command("compare", "a.png", "b.png", "--json")
    (row,) = json.loads(result.out)
    assert result.code == 0
    assert row["picture"] == "b.png"
    assert row["psnr"] == pytest.approx(level_psnr(10), abs=1e-3)
    assert 0 < row["ssim"] < 1


def test_both_are_measured_against_the_reference(command: Callable, pictures: list[Path]):
    result = command("compare", "a.png", "b.png", "--reference", "c.png", "--json")
    rows = {row["picture"]: row["psnr"] for row in json.loads(result.out)}
    assert rows == {
        "a.png": pytest.approx(level_psnr(30), abs=1e-3),
        "b.png": pytest.approx(level_psnr(20), abs=1e-3),
    }


def test_output_shows_them_in_order(command: Callable, pictures: list[Path], tmp_path: Path):
    result = command("compare", "a.png", "b.png", "--reference", "c.png", "-o", "side.png")
    assert result.code == 0, result.err
    with Image.open(tmp_path / "side.png") as side:
        assert side.size == (60, 16)
        assert [side.getpixel((x, 8)) for x in (0, 20, 40)] == [
            (level,) * 3 for level in (100, 110, 130)
        ]


def test_existing_output_stays(command: Callable, pictures: list[Path], tmp_path: Path):
    before = (tmp_path / "c.png").read_bytes()
    result = command("compare", "a.png", "b.png", "-o", "c.png")
    assert result.code == 2
    assert "c.png" in result.only_error
    assert (tmp_path / "c.png").read_bytes() == before


def test_different_sizes_are_refused(command: Callable, pictures: list[Path], tmp_path: Path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "small.png")
    result = command("compare", "a.png", "small.png")
    assert result.code == 1
    assert "small.png" in result.only_error
    assert "8x8x1" in result.only_error


def test_the_difference_is_shown_stronger_around_gray(
    command: Callable, pictures: list[Path], tmp_path: Path
):
    result = command("compare", "a.png", "b.png", "--difference", "d.png")
    assert result.code == 0, result.err
    with Image.open(tmp_path / "d.png") as difference:
        assert difference.size == (20, 16)
        # Four times 10 above the middle of 0 to 255.
        assert difference.getpixel((5, 5)) == (168,) * 3


@pytest.mark.parametrize("option", ["-o", "--difference"])
def test_no_input_is_overwritten(
    command: Callable, pictures: list[Path], tmp_path: Path, option: str
):
    before = (tmp_path / "a.png").read_bytes()
    result = command("compare", "a.png", "b.png", option, "a.png", "--overwrite")
    assert (result.code, "is also an input" in result.only_error) == (2, True)
    assert (tmp_path / "a.png").read_bytes() == before


def test_pictures_are_turned_as_they_are_looked_at(command: Callable, tmp_path: Path):
    upright = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(upright).save(tmp_path / "upright.png")
    result = command(
        "compare", "upright.png", "turned.png", "-o", "s.png", "--difference", "d.png", "--json"
    )
    assert json.loads(result.out) == [{"picture": "turned.png", "psnr": None, "ssim": 1.0}]
    with Image.open(tmp_path / "s.png") as side:
        np.testing.assert_array_equal(side, np.concatenate([upright, upright], axis=1))
    with Image.open(tmp_path / "d.png") as difference:
        assert difference.size == (30, 20)
        assert np.unique(np.asarray(difference)).tolist() == [128]


def test_two_names_of_one_file_are_one(command: Callable, pictures: list[Path], tmp_path: Path):
    result = command(
        "compare", "a.png", "b.png", "-o", "side.png", "--difference", tmp_path / "side.png"
    )
    assert (result.code, "is both --output and --difference" in result.only_error) == (2, True)
    assert not (tmp_path / "side.png").exists()


def test_figures_go_to_standard_output(command: Callable, pictures: list[Path]):
    result = command("compare", "a.png", "b.png")
    assert result.out.startswith(f"b.png: {level_psnr(10):.2f} dB  SSIM 0.")
    assert result.err == ""


def test_what_the_system_says_of_a_path_is_no_bug(
    command: Callable, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "x/a.png")

    monkeypatch.setattr(compare, "check_target", fail)
    outcome = command("compare", "a.png", "b.png", "-o", "x/a.png")
    assert outcome.code == 1
    assert outcome.only_error == "kerasdenoise: x/a.png: Permission denied; check the path"
