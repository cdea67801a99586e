"""Folders of photos of which some need an extra that is not installed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.picture_files import make_raw

Cli = Callable[..., subprocess.CompletedProcess]
Write = Callable[..., Path]

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
RAW_REMEDY = 'needs the library rawpy, which is not installed; run pip install "kerasdenoise[raw]"'
HEIF_REMEDY = (
    'needs the library pillow_heif, which is not installed; run pip install "kerasdenoise[heif]"'
)


@pytest.fixture
def without_extras(
    cli_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hides the extras' libraries from the processes that a test starts."""
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    for name in ("rawpy", "pillow_heif"):
        (hiding / f"{name}.py").write_text(f"raise ModuleNotFoundError('{name}')", "utf-8")
    cli_environment["PYTHONPATH"] = str(hiding)


@pytest.fixture
def shoot(write_photo: Write, tmp_path: Path) -> Path:
    """A folder as cameras write it: each photo as JPEG and as raw, the same stem for both."""
    for number in range(3):
        write_photo(f"shoot/day{number}/{number}.jpg", (20, 30))
        (tmp_path / f"shoot/day{number}/{number}.DNG").write_bytes(make_raw())
    (tmp_path / "shoot/day0/phone.heic").write_bytes(HEIC)
    return tmp_path / "shoot"


@pytest.mark.usefixtures("without_extras")
def test_each_file_is_named_with_what_it_needs_and_the_others_are_done(
    run_cli: Cli, shoot: Path, tmp_path: Path
):
    result = run_cli("denoise", "shoot", "-r", "-o", "out")
    assert result.returncode == 1
    done = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("out/*/*"))
    assert done == [f"out/day{number}/{number}.jpg" for number in range(3)]
    lines = result.stderr.splitlines()
    assert lines[-5] == "3 written, 4 failed"
    raw = [f"kerasdenoise: shoot/day{n}/{n}.DNG: {RAW_REMEDY}" for n in range(3)]
    assert sorted(lines[-4:]) == sorted(
        [*raw, f"kerasdenoise: shoot/day0/phone.heic: {HEIF_REMEDY}"]
    )


@pytest.mark.usefixtures("without_extras")
def test_scripts_read_it_too(run_cli: Cli, shoot: Path):
    result = run_cli("denoise", "shoot", "-r", "-o", "out", "--json")
    assert result.returncode == 1
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    failed = {row["input"]: row["error"] for row in rows if row["status"] == "failed"}
    assert len(rows) == 7
    assert failed["shoot/day1/1.DNG"] == f"shoot/day1/1.DNG: {RAW_REMEDY}"
    assert len(failed) == 4


def test_with_them_every_photo_is_done(run_cli: Cli, shoot: Path, tmp_path: Path):
    pytest.importorskip("rawpy")
    (shoot / "day0/phone.heic").unlink()
    result = run_cli("denoise", "shoot", "-r", "-o", "out")
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.glob("out/*/*.tif"))) == 3
    assert len(list(tmp_path.glob("out/*/*"))) == 6
