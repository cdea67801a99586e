"""What a user's keras.json says changes nothing of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from kerasdenoise.models import list_architectures
from kerasdenoise.noise import KINDS
from kerasdenoise.runtime import keras_defaults

ROOT = Path(__file__).parents[2]
HOSTILE = [
    {"image_data_format": "channels_first", "floatx": "float16"},
    {"image_data_format": "channels_first", "floatx": "float64"},
]

# Prints, as JSON, what stands in each network, what comes out of it, what each noise makes of an
# image, and what a training of two steps and the network that it leaves measure.
OURS = """
import json, pathlib, sys

from kerasdenoise.runtime import prepare_keras

prepare_keras()
import keras
import numpy as np

import kerasdenoise
from kerasdenoise.export.litert import TOLERANCE, write_litert
from kerasdenoise.models import get_architecture, list_architectures
from kerasdenoise.noise import KINDS, parse_noise
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train



def figures(values):
    values = keras.ops.convert_to_numpy(values)
    return [str(values.dtype), *values.ravel()[::97].astype(float)]


folder = pathlib.Path(sys.argv[1])
before = [keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy().name]
image = np.random.default_rng(0).uniform(0.2, 0.8, (1, 32, 32, 3)).astype(np.float32)
found = {}
for name in list_architectures():
    keras.utils.set_random_seed(0)
    module = get_architecture(name)
    smallest = module.PRESETS.get("tiny") or next(iter(module.PRESETS.values()))
    network = module.build(smallest)
    found[f"config of {name}"] = network.get_config()
    found[f"result of {name}"] = figures(network(image[..., : smallest.channels]))
for kind in KINDS:
    noise = parse_noise(f"{kind}:25" if kind in ("gaussian", "compressed") else kind)
    noisy = noise(keras.ops.convert_to_tensor(image), keras.random.SeedGenerator(1))
    found[f"noise {kind}"] = figures(noisy)
run = folder / "run"
recipe = parse_recipe((folder / "quick.toml").read_text("utf-8"))
progress = train(recipe, run, pathlib.Path(recipe.data.root))
found["measured"] = progress.psnr
_, network = load_run(run)
found["trained"] = figures(network(image))
(folder / "exported").mkdir()
assert write_litert(network, folder / "exported", 4) < TOLERANCE
found["shipped"] = figures(kerasdenoise.load_model("perona_malik")(image))
found["denoised"] = figures(kerasdenoise.denoise(image[0], model="perona_malik"))
after = [keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy().name]
assert after == before, (before, after)
print(json.dumps(found, default=str))
"""


def _run(recipe: str, folder: Path, settings: dict[str, str]) -> dict[str, object]:
    folder.mkdir()
    (folder / "quick.toml").write_text(recipe, "utf-8")
    (folder / "keras.json").write_text(json.dumps(settings), "utf-8")
    result = subprocess.run(
        [sys.executable, "-c", OURS, str(folder)],
        cwd=ROOT,
        env={**os.environ, "KERAS_HOME": str(folder), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def expected(
    recipe_text: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """What there is where nobody has a keras.json."""
    folder = tmp_path_factory.mktemp("usual") / "usual"
    return _run(recipe_text(steps="2", interval="2"), folder, {})


@pytest.mark.parametrize("settings", HOSTILE, ids=lambda settings: settings["floatx"])
def test_networks_noise_training_and_denoising_are_the_same(
    expected: dict[str, object],
    recipe_text: Callable[..., str],
    tmp_path: Path,
    settings: dict[str, str],
):
    found = _run(recipe_text(steps="2", interval="2"), tmp_path / "hostile", settings)
    names = [*list_architectures(), *KINDS]
    assert len(expected) == len(list_architectures()) * 2 + len(KINDS) + 4
    assert all(any(name in key for key in expected) for name in names)
    different = [key for key in expected if found[key] != expected[key]]
    assert different == []


def test_mixed_precision_that_a_user_chose_is_kept():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with keras_defaults():
            assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)


def test_an_error_leaves_the_settings_of_the_user():
    before = keras.config.image_data_format(), keras.config.floatx()
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float64")
    try:
        with pytest.raises(ZeroDivisionError), keras_defaults():
            _ = 1 / len(keras.config.floatx().removeprefix("float32"))
        assert keras.config.image_data_format() == "channels_first"
        assert keras.config.floatx() == "float64"
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_floatx(before[1])
