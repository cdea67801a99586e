"""What a user's keras.json says changes nothing of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasdenoise
from kerasdenoise.export.litert import TOLERANCE, write_litert
from kerasdenoise.models import get_architecture, list_architectures
from kerasdenoise.noise import KINDS, parse_noise
from kerasdenoise.runtime import keras_defaults
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train

FLOATS = ("float16", "float64")
HOSTILE = {"image_data_format": "channels_first", "floatx": FLOATS[0]}


def measure_ours(folder: Path, floatx: str) -> dict[str, Any]:
    """What we build and compute where a user's Keras has these floats, as JSON.

    It is what stands in each network, what comes out of it, what each noise makes of an image, and
    what a training of two steps and the network that it leaves measure.
    """
    keras.config.set_floatx(floatx)
    before = _settings()
    image = np.random.default_rng(0).uniform(0.2, 0.8, (1, 32, 32, 3)).astype(np.float32)
    found: dict[str, Any] = {}
    for name in list_architectures():
        keras.utils.clear_session()  # which counts the names of layers from 1 again
        keras.utils.set_random_seed(0)
        module = get_architecture(name)
        smallest = module.PRESETS.get("tiny") or next(iter(module.PRESETS.values()))
        network = module.build(smallest)
        found[f"config of {name}"] = network.get_config()
        found[f"result of {name}"] = _figures(network(image[..., : smallest.channels]))
    for kind in KINDS:
        noise = parse_noise(f"{kind}:25" if kind in ("gaussian", "compressed") else kind)
        noisy = noise(keras.ops.convert_to_tensor(image), keras.random.SeedGenerator(1))
        found[f"noise {kind}"] = _figures(noisy)
    recipe = parse_recipe((folder / "quick.toml").read_text("utf-8"))
    run = folder / floatx
    found["measured"] = train(recipe, run, Path(recipe.data.root)).psnr
    _, network = load_run(run)
    found["trained"] = _figures(network(image))
    (run / "exported").mkdir()
    assert write_litert(network, run / "exported", 4) < TOLERANCE
    found["shipped"] = _figures(kerasdenoise.load_model("perona_malik")(image))
    found["denoised"] = _figures(kerasdenoise.denoise(image[0], model="perona_malik"))
    assert _settings() == before
    return json.loads(json.dumps(found, default=str))


def _settings() -> list[str]:
    policy = keras.config.dtype_policy().name
    return [keras.config.image_data_format(), keras.config.floatx(), policy]


def _figures(values: Any) -> list[Any]:
    values = keras.ops.convert_to_numpy(values)
    return [str(values.dtype), *values.ravel()[::97].astype(float)]


@pytest.fixture(scope="module")
def folder(recipe_text: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("settings")
    (folder / "quick.toml").write_text(recipe_text(steps="2", interval="2"), "utf-8")
    return folder


def test_networks_noise_training_and_denoising_are_the_same_whatever_keras_json_says(folder: Path):
    (folder / "keras.json").write_text(json.dumps(HOSTILE), "utf-8")
    script = """
import json, pathlib, runpy, sys
from kerasdenoise.runtime import prepare_keras
prepare_keras()
module = runpy.run_path(sys.argv[1])
folder = pathlib.Path(sys.argv[2])
print(json.dumps([module["measure_ours"](folder, floatx) for floatx in module["FLOATS"]]))
"""
    result = subprocess.run(
        [sys.executable, "-c", script, __file__, str(folder)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KERAS_HOME": str(folder), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    assert _settings() == ["channels_last", "float32", "float32"]
    expected = measure_ours(folder, "float32")
    assert len(expected) == len(list_architectures()) * 2 + len(KINDS) + 4
    for floatx, found in zip(FLOATS, json.loads(result.stdout.splitlines()[-1]), strict=True):
        assert [key for key in expected if found[key] != expected[key]] == [], floatx


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
