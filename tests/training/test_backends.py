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

from kerasdenoise.training.build import load_run
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train

CLI = Path(__file__).parents[2] / "cli.py"


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_a_run_under_jax_goes_on_under_tensorflow(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    changes = {"interval": "20", "kind": '"gaussian:25"\n[[noise]]\nkind = "camera"'}
    (tmp_path / "quick.toml").write_text(recipe_text(steps="20", **changes), "utf-8")
    run = tmp_path / "run"
    result = subprocess.run(
        [sys.executable, str(CLI), "train", str(tmp_path / "quick.toml"), "--run", str(run)],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "step 20/20  loss " in result.stderr

    assert keras.backend.backend() == "tensorflow"
    _, denoiser = load_run(run)
    assert denoiser.get_layer("tail").get_weights()[0].any()  # which starts at zero
    last = train(parse_recipe(recipe_text(steps="22", **changes)), run, photos)
    assert last is not None
    assert last.step == 22
    assert last.psnr["gaussian:25"] > 19.5  # nothing fell apart; the noise is at 20.2 dB
