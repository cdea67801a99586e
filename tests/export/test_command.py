"""`export` as it is typed."""

from __future__ import annotations

import json
import os
import re
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

    options = ["--data", tmp_path, "--target", "mobile", "--size", 88]
    result = _export(training_run, "--name", "mine", "-o", zoo, *options)

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
    card = (zoo / "mine/README.md").read_text("utf-8")
    assert "| Textures | 2 | gaussian:25 |" in card
    assert "| `model.tflite` | float32 | CPUs | any |" in card
    assert "| `mobile_88.tflite` | float32 | phones | 88 |" in card
    assert re.search(
        r"^mobile_88\.tflite +[\d,]+ bytes +[\d.]+ dB, Keras [\d.]+", result.stderr, re.M
    )
    # It sees 23 pixels around each, and the tone is that of 40.
    assert re.search("8 of 88 pixels .*halo.*--size 256", result.stderr)


@pytest.mark.parametrize(
    ("run", "said"),
    [("quick", "already exists; .*--name"), ("gone", "training run.* saved")],
)
def test_what_cannot_be_exported_is_refused(
    training_run: Path, saved_models: Path, run: str, said: str
):
    args = ["export", str(training_run.parent / run), "-o", str(saved_models)]
    result = CliRunner().invoke(group, args)
    assert isinstance(result.exception, KerasDenoiseError)
    assert result.exception.exit_code == 2
    assert re.search(said, str(result.exception))
    assert {file.name for file in saved_models.iterdir()} == {"index.json", "quick"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--target", "mobile", "--size", "30"], "--size 30: .*multiple of 8"),
        (["--target", "mobile", "--size", "dynamic"], "--size dynamic: .*--size 256"),
        (["--name", "other"], "--name: .*training runs"),
        (["--name", "a/b"], "--name a/b: .*path"),
        (["--add", "--output", "here"], "--add: .*--output"),
        (["--integers", "run"], "--integers: .*--int8; .*--int8"),
        (["--int8", "--integers", "gone"], "gone: .*no training run"),
        (["--check-gpu"], "quick: .*; .*export quick --target mobile --add"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    saved_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list, said: str
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(group, ["export", "quick", *options])
    assert isinstance(result.exception, KerasDenoiseError)
    assert result.exception.exit_code == 2
    assert re.search(said, str(result.exception))
    left = [path for path in (tmp_path / "exported").rglob("*") if path.is_file()]
    assert left == []


def test_a_saved_model_becomes_files_in_a_folder_of_its_name(
    saved_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    options = ["--target", "mobile", "--size", "88", "--size", "96", "--float32", "--float16"]
    result = CliRunner().invoke(group, ["export", "quick", *options])
    assert result.exception is None, result.output
    files = {path.name for path in (tmp_path / "exported/quick").glob("*.tflite")}
    sizes = ("88", "96")
    assert files == {f"mobile_{size}{kind}.tflite" for size in sizes for kind in ("", "_float16")}


@pytest.mark.parametrize("passed", [True, False])
def test_the_gpu_says_of_each_file_how_it_ran(
    saved_models: Path, monkeypatch: pytest.MonkeyPatch, passed: bool
):
    from kerasdenoise.export import gpu

    for name in ("mobile_32.tflite", "mobile_48.tflite"):
        (saved_models / "quick" / name).write_bytes(b"")
    results = iter([gpu.GpuResult(True, 1e-7, 1e-8, True), gpu.GpuResult(passed, 1e-7, 0, True)])
    monkeypatch.setattr(gpu, "check_gpu", lambda path: next(results))
    result = CliRunner().invoke(group, ["export", "--check-gpu", "quick"])
    assert re.search(r"mobile_32\.tflite: fully.* 1\.0e-07", result.output)
    if passed:
        assert result.exception is None
    else:
        assert re.search(r"mobile_48\.tflite: partly.*CPU", result.output)
        assert isinstance(result.exception, KerasDenoiseError)
        assert result.exception.exit_code == 1
        assert re.search("1 of 2 files .*GPU", str(result.exception))


def test_a_run_that_was_not_trained_in_integers_makes_no_integers(
    training_run: Path, saved_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    options = ["--int8", "--integers", str(training_run)]
    result = CliRunner().invoke(group, ["export", "quick", *options])
    assert isinstance(result.exception, KerasDenoiseError)
    assert re.search("quantization-aware.*; .*recipe", str(result.exception))


def test_a_file_in_the_place_of_the_folder_is_refused_before_the_work(
    saved_models: Path, tmp_path: Path
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/quick").write_text("mine", "utf-8")
    result = CliRunner().invoke(group, ["export", "quick", "-o", str(tmp_path / "out")])
    assert isinstance(result.exception, KerasDenoiseError)
    assert re.search("quick: .*file.*folder; .*--output", str(result.exception))
    assert (tmp_path / "out/quick").read_text("utf-8") == "mine"
