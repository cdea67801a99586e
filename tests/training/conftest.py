"""Smooth made-up photos, and the recipe of a run that takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import keras  # noqa: E402

from kerasdenoise.training.network import save_network  # noqa: E402
from kerasdenoise.training.recipe import Recipe, parse_recipe  # noqa: E402
from kerasdenoise.training.run import train  # noqa: E402
from kerasdenoise.training.tasks import find_task  # noqa: E402

LEVEL = "{ preset = 'tiny', estimates_level = true }"

_RECIPE = """
name = "quick"
summary = "Nothing of use"
seed = 5
[model]
architecture = "unet"
config = {{ preset = "tiny" }}
[data]
root = "{root}"
train = ["train"]
validation = ["validation"]
license = "Made up"
patch_size = 32
margin = 16
batch_size = 4
[[noise]]
kind = "gaussian:0-55"
[optimization]
steps = 6
warmup_steps = 3
ema_momentum = 0.9
[validation]
interval = 3
images = 2
crop_size = 64
"""


@pytest.fixture(autouse=True)
def _no_curves(no_curves: None) -> None:
    """Runs of tests are tiny."""


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root of photos: `train` and `validation`."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name in ("train/a", "train/b", "train/c", "validation/d", "validation/e"):
        path = root / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        spots = Image.fromarray(rng.integers(0, 256, (9, 10, 3), np.uint8))
        spots.resize((112, 100), Image.Resampling.BICUBIC).save(path)
    return root


@pytest.fixture(scope="session")
def recipe_text(photos: Path) -> Callable[..., str]:
    """The recipe, with some lines changed or left out: `recipe_text(seed="7", margin=None)`."""

    def write(**changes: str | None) -> str:
        lines = _RECIPE.format(root=photos.as_posix()).splitlines()
        for key, value in changes.items():
            (at,) = [i for i, line in enumerate(lines) if line.startswith(f"{key} =")]
            lines[at] = "" if value is None else f"{key} = {value}"
        return "\n".join(lines)

    return write


@pytest.fixture(scope="session")
def floats(recipe_text: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a network that estimates the level of the noise, and has learned something."""
    folder = tmp_path_factory.mktemp("runs") / "floats"
    recipe = parse_recipe(recipe_text(config=LEVEL, steps="60", interval="60"))
    train(recipe, folder, Path(recipe.data.root))
    return folder


@pytest.fixture(scope="session")
def save_run() -> Callable[[Recipe, Path], list[np.ndarray]]:
    """Writes a run without training, and returns its averaged weights, which are random."""

    def save(recipe: Recipe, folder: Path) -> list[np.ndarray]:
        network = find_task(recipe).make_denoiser(recipe, "float32")
        for weight in network.trainable_weights:
            weight.assign(np.random.default_rng(len(weight.path)).normal(size=weight.shape))
        folder.mkdir()
        save_network(folder, recipe, 1, network)
        return [keras.ops.convert_to_numpy(weight) for weight in network.trainable_weights]

    return save
