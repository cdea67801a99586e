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

_TRAIN = """
import sys
from kerasdenoise.cli import group
for run in sys.argv[1:]:
    group(["train", f"{run}.toml", "--run", run], standalone_mode=False)
"""


def _train_under(backend: str, *runs: Path) -> None:
    """Trains by the recipes beside folders of runs, in one process: to start takes seconds."""
    result = subprocess.run(
        [sys.executable, "-c", _TRAIN, *map(str, runs)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_runs_under_another_backend_resume_under_tensorflow(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path, backend: str
):
    if importlib.util.find_spec(backend) is None:  # not imported here, which takes seconds
        pytest.skip(f"{backend} is not installed")
    runs = [tmp_path / "run"]
    changes = {"interval": "4", "kind": '"gaussian:25"\n[[noise]]\nkind = "poisson"'}
    (tmp_path / "run.toml").write_text(recipe_text(steps="4", **changes), "utf-8")
    if backend == "torch":  # which learns from a teacher too
        teacher = tmp_path / "teacher"
        train(parse_recipe(recipe_text(steps="1")), teacher, photos)
        architecture = f'"unet"\nteacher = "{teacher.as_posix()}"'
        text = recipe_text(steps='3\nloss = "psnr"', architecture=architecture)
        (tmp_path / "taught.toml").write_text(text, "utf-8")
        runs.append(tmp_path / "taught")
    _train_under(backend, *runs)
    assert keras.backend.backend() == "tensorflow"
    for run in runs:
        _, denoiser = load_run(run)
        assert denoiser.get_layer("tail").get_weights()[0].any()  # which starts at zero
    last = train(parse_recipe(recipe_text(steps="6", **changes)), runs[0], photos)
    assert last is not None
    assert last.step == 6
    assert last.psnr["gaussian:25"] > 19.5  # nothing fell apart; the noise is at 20.2 dB
