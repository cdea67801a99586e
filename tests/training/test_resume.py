"""Killed for real, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train

CLI = Path(__file__).parents[2] / "cli.py"
STEPS, INTERVAL = 40, 4


@pytest.fixture
def recipe_file(recipe_text: Callable[..., str], tmp_path: Path) -> Path:
    path = tmp_path / "quick.toml"
    path.write_text(recipe_text(steps=str(STEPS), interval=str(INTERVAL)), "utf-8")
    return path


def _start(recipe_file: Path, run: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(CLI), "train", str(recipe_file), "--run", str(run)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def _checkpoint(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "checkpoint.npz") as arrays:
        return dict(arrays)


def _log(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]


def test_a_killed_run_ends_as_if_it_had_not_been(recipe_file: Path, photos: Path, tmp_path: Path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"

    with _start(recipe_file, killed) as process:
        assert process.stderr is not None
        # Other libraries may say something of their own before.
        first = next((line for line in process.stderr if line.startswith("step ")), "")
        process.kill()
    assert first.startswith(f"step {INTERVAL}/{STEPS}  loss ")
    assert "gaussian:25 " in first
    assert json.loads(str(_checkpoint(killed)["meta"]))["step"] < STEPS

    with _start(recipe_file, killed) as process:
        _, printed = process.communicate(timeout=1800)
    assert process.returncode == 0, printed
    assert f"step {INTERVAL}/" not in printed, "it began anew"
    last = printed.splitlines()[-1]
    assert last.startswith(f"{killed}: step {STEPS} of {STEPS}; ")
    assert last.endswith(f" kerasdenoise export {killed}")

    train(parse_recipe(recipe_file.read_text("utf-8")), whole, photos)
    expected, resumed = _checkpoint(whole), _checkpoint(killed)
    assert resumed.keys() == expected.keys()
    for name in expected.keys() - {"meta"}:
        # Threads add up gradients in any order, so that the last bits may differ.
        np.testing.assert_allclose(resumed[name], expected[name], atol=1e-4, err_msg=name)
    np.testing.assert_allclose(
        [[entry["loss"], entry["psnr"]["gaussian:25"]] for entry in _log(killed)],
        [[entry["loss"], entry["psnr"]["gaussian:25"]] for entry in _log(whole)],
        rtol=1e-3,
    )
    assert [entry["step"] for entry in _log(killed)] == [*range(INTERVAL, STEPS + 1, INTERVAL)]
