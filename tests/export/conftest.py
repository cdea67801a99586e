"""A training run with random weights, made without training."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()

from kerasdenoise.training.recipe import Recipe, parse_recipe  # noqa: E402

_RECIPE = """
name = "quick"
summary = "Random weights"
seed = 5
[model]
architecture = "unet"
config = { preset = "tiny" }
[data]
root = "nowhere"
train = ["train"]
validation = ["validation"]
license = "Made up"
[[noise]]
kind = "gaussian:0-55"
[optimization]
steps = 6
[[benchmark]]
name = "Textures"
folder = "textures"
noises = ["gaussian:25"]
"""


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """The recipe of that run."""
    return parse_recipe(_RECIPE)


@pytest.fixture(scope="session")
def training_run(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    from kerasdenoise.training.network import build_network, save_network

    network = build_network(recipe.model)
    rng = np.random.default_rng(0)
    # Twice: with the first numbers, a few values lie far beyond those that calibration sees.
    for variable in [*network.weights, *network.weights]:
        fan_in = np.prod(variable.shape[:-1])
        variable.assign(rng.normal(0, 0.5 * fan_in**-0.5, variable.shape))
    folder = tmp_path_factory.mktemp("runs") / "quick"
    folder.mkdir()
    save_network(folder, recipe, 6, network)
    return folder


@pytest.fixture(scope="session")
def _exported(training_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from kerasdenoise.export.model_package import write_saved_model
    from kerasdenoise.training.network import load_run

    recipe, denoiser = load_run(training_run)
    folder = tmp_path_factory.mktemp("saved_models")
    write_saved_model(denoiser, recipe, folder / "quick", measure=lambda _: [FIGURES])
    return folder


FIGURES = {
    "set": "Textures",
    "noise": "gaussian:25",
    "images": 3,
    "noisy_psnr": 20.17,
    "psnr": 28.125,
    "psnr_error": 0.25,
    "ssim": 0.87654,
}


@pytest.fixture
def saved_models(_exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a folder of saved models, found by name, that holds the exported `quick`."""
    folder = shutil.copytree(_exported, tmp_path / "saved_models")
    monkeypatch.setenv("KERASDENOISE_MODELS", str(folder))
    return folder
