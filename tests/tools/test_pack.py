from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PACK = Path(__file__).parents[2] / "tools" / "pack.py"

RECIPE = """
name = "packed"
summary = "Nothing of use"
seed = 5
[model]
architecture = "unet"
[data]
root = "{root}"
train = ["train/a", "train/b"]
validation = ["validation"]
license = "Made up"
[[noise]]
kind = "gaussian:25"
[optimization]
steps = 1
"""
PHOTOS = [f"{folder}/{n}.png" for folder in ("train/a", "train/b", "validation") for n in range(2)]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe of six photos of 0.75 MB, and one that it does not name."""
    rng = np.random.default_rng(0)
    for name in [*PHOTOS, "test/secret.png"]:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (500, 500, 3), np.uint8)).save(path)
    file = tmp_path / "packed.toml"
    file.write_text(RECIPE.format(root=(tmp_path / "data").as_posix()), "utf-8")
    return file


def _pack(recipe: Path, target: Path, megabytes: int = 2) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PACK), str(recipe), "--output", str(target)]
    return subprocess.run(
        [*command, "--megabytes", str(megabytes)], capture_output=True, text=True, check=False
    )


def test_parts_put_together_are_the_data_root(recipe: Path, tmp_path: Path):
    result = _pack(recipe, tmp_path / "pack")
    assert result.returncode == 0, result.stderr
    parts = sorted((tmp_path / "pack").iterdir())
    assert [part.name for part in parts] == ["part_1", "part_2", "part_3"]
    whole = tmp_path / "whole"
    for part in parts:
        assert sum(f.stat().st_size for f in part.rglob("*.png")) <= 2_000_000
        shutil.copytree(part, whole, dirs_exist_ok=True)
    packed = sorted(f.relative_to(whole).as_posix() for f in whole.rglob("*") if f.is_file())
    assert packed == ["MANIFEST", *PHOTOS]
    for line in (whole / "MANIFEST").read_text("utf-8").splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((whole / name).read_bytes()).hexdigest() == digest
        assert (whole / name).read_bytes() == (tmp_path / "data" / name).read_bytes()
        packed.remove(name)
    assert packed == ["MANIFEST"]


def test_nothing_is_written_into_a_folder_in_use(recipe: Path, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    before = sorted(tmp_path.iterdir())
    result = _pack(recipe, tmp_path)
    assert result.returncode == 1
    assert "is not empty" in result.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_photo_larger_than_a_part_is_refused(recipe: Path, tmp_path: Path):
    result = _pack(recipe, tmp_path / "pack", megabytes=0)
    assert result.returncode == 1
    assert "0.png: has " in result.stderr
    assert not (tmp_path / "pack").exists()
