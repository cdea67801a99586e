"""`export` as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from kerasdenoise.cli import group
from kerasdenoise.errors import KerasDenoiseError
from kerasdenoise.zoo import find_model, verify_model

CLI = Path(__file__).parents[2] / "cli.py"


def _export(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CLI), "export", *map(str, args)],
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def test_a_run_becomes_a_model_with_its_figures(
    training_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "textures").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        spots = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
        spots.resize((50, 40), Image.Resampling.BICUBIC).save(tmp_path / f"textures/{name}.png")
    zoo = tmp_path / "zoo"

    result = _export(training_run, "--name", "mine", "-o", zoo, "--data", tmp_path)

    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == f"{zoo / 'mine'}: written"
    assert "Traceback" not in result.stderr
    monkeypatch.setenv("KERASDENOISE_MODELS", str(zoo))
    info = find_model("mine")
    verify_model(info)
    assert info.name == "mine"
    metadata = json.loads((zoo / "mine/metadata.json").read_text("utf-8"))
    (row,) = metadata["figures"]
    assert (row["set"], row["noise"], row["images"]) == ("Textures", "gaussian:25", 2)
    assert row["noisy_psnr"] == pytest.approx(20.17, abs=0.3)
    assert "| Textures | 2 | gaussian:25 |" in (zoo / "mine/README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("run", "said"),
    [("quick", "exists; give another --name"), ("gone", "holds no training run")],
)
def test_what_cannot_be_exported_is_refused(
    training_run: Path, saved_models: Path, run: str, said: str
):
    args = ["export", str(training_run.parent / run), "-o", str(saved_models)]
    result = CliRunner().invoke(group, args)
    assert isinstance(result.exception, KerasDenoiseError)
    assert result.exception.exit_code == 2
    assert said in str(result.exception)
    assert {file.name for file in saved_models.iterdir()} == {"index.json", "quick"}
