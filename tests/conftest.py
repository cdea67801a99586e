"""Two tiny saved models with random weights, which every test that denoises shares."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

# What a pixel of `_tiny_net` sees at most: a 2x2 cell of the output comes from 3x3 cells of
# half the size, of which each comes from 3x3 pixels: from 3 pixels before to 4 after.
RADIUS = 4
STRIDE = 2

# Each program of JAX runs a few times here: to optimize it takes longer than that saves.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

CLI = Path(__file__).parents[1] / "cli.py"

# A busy machine is no reason to fail, and the same examples come every time.
settings.register_profile(
    "busy", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of saved models: `tiny` (RGB, the default) and `tiny_gray`."""
    folder = tmp_path_factory.mktemp("saved_models")
    index: dict[str, Any] = {"default": "tiny", "models": {}}
    for name, channels in (("tiny", 3), ("tiny_gray", 1)):
        _save_model(folder / name, channels)
        index["models"][name] = {
            "summary": f"Random weights, {channels} channels",
            "files": {path.name: _record(path) for path in sorted((folder / name).iterdir())},
        }
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


@pytest.fixture
def models(models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the tiny models those that are found by name."""
    monkeypatch.setenv("KERASDENOISE_MODELS", str(models_folder))
    monkeypatch.delenv("KERASDENOISE_MODEL", raising=False)
    return models_folder


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs models of no index in this process, which saves half a second for each file.

    `inference/test_isolated.py` shows that a process of its own computes the same.
    """
    from kerasdenoise.inference import engines

    monkeypatch.setattr(engines, "IsolatedEngine", engines.LiteRTEngine)


@pytest.fixture
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws no curves of runs, which takes longer than tiny ones; `training/test_run.py` does."""
    from kerasdenoise.training import run

    monkeypatch.setattr(run, "draw_curves", lambda entries, target: target.touch())


@pytest.fixture(scope="session")
def hostile(models_folder: Path) -> bytes:
    """A LiteRT file that ends the process that runs it: an operand of an operation is missing.

    It reads memory that is not its own, so that the end is by a signal or by another fault.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    root: Any = schema.ModelT.InitFromPackedBuf(
        (models_folder / "tiny" / "model.tflite").read_bytes()
    )
    *_, last = (each for each in root.subgraphs[0].operators if len(each.inputs) == 2)
    last.inputs = [last.inputs[0], -1]
    builder = flatbuffers.Builder(1024)
    builder.Finish(root.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def write_photo(tmp_path: Path) -> Callable[..., Path]:
    """Writes a noisy picture: `write_photo("a.jpg", (height, width))`."""

    def write(name: str, size: tuple[int, int] = (40, 56), mode: str = "RGB") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        bands = len(mode)
        noise = np.random.default_rng(0).normal(128, 40, (*size, bands)).clip(0, 255)
        pixels = noise.astype(np.uint8)
        Image.fromarray(pixels[..., 0] if bands == 1 else pixels).save(path)
        return path

    return write


@pytest.fixture
def cli_environment(models_folder: Path) -> dict[str, str]:
    """The environment for a process that finds the tiny models."""
    clean = {key: value for key, value in os.environ.items() if key != "KERASDENOISE_MODEL"}
    return {**clean, "KERASDENOISE_MODELS": str(models_folder), "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def run_cli(
    cli_environment: dict[str, str], tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess]:
    """Runs the command line in a process of its own, in the test's folder."""

    def run(*args: object, python: Sequence[str] = ()) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *python, str(CLI), *map(str, args)],
            cwd=tmp_path,
            env=cli_environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
        )

    return run


def _save_model(folder: Path, channels: int) -> None:
    folder.mkdir()
    _tiny_net(channels, folder / "model.tflite")
    (folder / "config.json").write_text("{}", encoding="utf-8")
    metadata = {
        "name": folder.name,
        "architecture": "tiny_net",
        "summary": f"Random weights, {channels} channels",
        "channels": channels,
        "stride": STRIDE,
        "radius": RADIUS,
        "license": "Apache-2.0",
    }
    (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")


def _tiny_net(channels: int, path: Path) -> None:
    from kerasdenoise.runtime import prepare_keras, quiet_stderr

    prepare_keras()
    import keras
    from keras import layers

    keras.utils.set_random_seed(channels)
    noisy = keras.Input((None, None, channels), name="noisy")
    hidden = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(noisy)
    hidden = layers.Conv2D(8, 3, padding="same", activation="relu")(hidden)
    noise = layers.Conv2DTranspose(channels, 2, strides=2, use_bias=False)(hidden)
    model = keras.Model(noisy, layers.Subtract()([noisy, noise]))
    with quiet_stderr():
        model.export(path, format="litert", verbose=False)


def _record(path: Path) -> dict[str, object]:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
