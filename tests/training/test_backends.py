"""A run under another Keras backend, and its end under TensorFlow."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train

CLI = Path(__file__).parents[2] / "cli.py"


def _train_under(backend: str, text: str, folder: Path) -> Path:
    (folder / "quick.toml").write_text(text, "utf-8")
    run = folder / "run"
    result = subprocess.run(
        [sys.executable, str(CLI), "train", str(folder / "quick.toml"), "--run", str(run)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return run


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_run_under_another_backend_resumes_under_tensorflow(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path, backend: str
):
    if importlib.util.find_spec(backend) is None:  # not imported here, which takes seconds
        pytest.skip(f"{backend} is not installed")
    changes = {"interval": "20", "kind": '"gaussian:25"\n[[noise]]\nkind = "camera"'}
    run = _train_under(backend, recipe_text(steps="20", **changes), tmp_path)
    assert keras.backend.backend() == "tensorflow"
    _, denoiser = load_run(run)
    assert denoiser.get_layer("tail").get_weights()[0].any()  # which starts at zero
    last = train(parse_recipe(recipe_text(steps="22", **changes)), run, photos)
    assert last is not None
    assert last.step == 22
    assert last.psnr["gaussian:25"] > 19.5  # nothing fell apart; the noise is at 20.2 dB


def test_torch_learns_from_a_teacher(recipe_text: Callable[..., str], photos: Path, tmp_path: Path):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    train(parse_recipe(recipe_text(steps="1")), tmp_path / "teacher", photos)
    changes = {"architecture": f'"unet"\nteacher = "{(tmp_path / "teacher").as_posix()}"'}
    text = recipe_text(steps='3\nloss = "psnr"', **changes)
    _, denoiser = load_run(_train_under("torch", text, tmp_path))
    assert denoiser.get_layer("tail").get_weights()[0].any()
