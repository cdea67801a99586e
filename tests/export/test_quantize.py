from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError, RecipeError
from kerasdenoise.export.kinds import draw_noisy_patches, write_int8
from kerasdenoise.export.litert import export_litert
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.models import get_architecture, make_config
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.zoo.info import INT8

TEXT = """
name = "small"
summary = "Small"
seed = 1
[model]
architecture = "unet"
config = { preset = "tiny" }
[data]
root = "."
train = ["photos"]
validation = ["photos"]
license = "none"
[[noise]]
kind = "gaussian:25"
[optimization]
steps = 1
"""


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network that changes its input a little."""
    keras.utils.set_random_seed(0)
    network = get_architecture("unet").build(make_config("unet", {"preset": "tiny"}))
    tail = network.get_layer("tail")
    tail.set_weights([0.02 * np.random.default_rng(0).standard_normal(tail.weights[0].shape)])
    return network


@pytest.fixture
def recipe() -> Recipe:
    return parse_recipe(TEXT)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    from PIL import Image

    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        coarse = Image.fromarray(rng.integers(0, 256, (13, 13, 3), np.uint8))
        coarse.resize((400, 400)).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path


def _patches(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.random((4, 32, 32, 3), np.float32) for _ in range(count)]


def test_integers_give_nearly_what_floats_do(network: keras.Model, tmp_path: Path):
    write_int8(network, tmp_path / INT8, _patches(2))
    export_litert(network, tmp_path / "model.tflite")
    pixels = np.random.default_rng(2).integers(0, 256, (1, 24, 40, 3)).astype(np.float32) / 255
    results = []
    for name in ("model.tflite", INT8):
        results += LiteRTEngine(tmp_path / name)({"noisy": pixels}).values()
    assert np.abs(results[0] - pixels).max() > 0.02  # it does something
    clipped = np.clip(results[0], 0, 1)
    assert np.sqrt(np.mean(np.square(clipped - results[1]))) < 0.01
    assert (tmp_path / INT8).stat().st_size < (tmp_path / "model.tflite").stat().st_size


def test_the_file_takes_and_gives_what_pictures_hold(network: keras.Model, tmp_path: Path):
    from ai_edge_litert.interpreter import Interpreter

    write_int8(network, tmp_path / INT8, _patches(1))
    interpreter = Interpreter(str(tmp_path / INT8))
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] == made["dtype"] == np.uint8
    assert given["quantization"] == (pytest.approx(1 / 255), 0)
    assert made["quantization"] == (pytest.approx(1 / 255), 0)


def test_a_network_that_is_told_the_level_is_refused(tmp_path: Path):
    config = make_config("unet", {"preset": "tiny", "noise_level": True})
    with pytest.raises(ModelError, match="more than an image"):
        write_int8(get_architecture("unet").build(config), tmp_path / INT8, _patches(1))
    assert not list(tmp_path.iterdir())


def test_patches_hold_the_recipes_noise_as_pictures_do(recipe: Recipe, photos: Path):
    batches = draw_noisy_patches(recipe, photos)
    assert {batch.shape for batch in batches} == {(16, 128, 128, 3)}
    pixels = np.stack(batches)
    assert (pixels.min(), pixels.max()) == (0, 1)
    # Between neighbors, which are nearly equal in these pictures, is the noise of both.
    difference = np.diff(pixels[..., :64, :], axis=2)
    assert np.median(np.abs(difference)) > 0.05


def test_photos_that_are_not_there_are_named(recipe: Recipe, tmp_path: Path):
    with pytest.raises(RecipeError, match="photos"):
        draw_noisy_patches(recipe, tmp_path)
