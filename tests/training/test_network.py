"""The network of a run, in a file of its own."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError, RecipeError
from kerasdenoise.models._parts import copy_weights
from kerasdenoise.training.fake_quantization import build_rounded, set_scales
from kerasdenoise.training.network import (
    build_network,
    is_run,
    load_network,
    load_run,
    read_run,
    save_network,
)
from kerasdenoise.training.recipe import Recipe, parse_recipe

NOISY = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)


@pytest.fixture(scope="module")
def recipe(recipe_text: Callable[..., str]) -> Recipe:
    return parse_recipe(recipe_text())


@pytest.fixture
def network(recipe: Recipe) -> keras.Model:
    network = build_network(recipe.model)
    for weight in network.weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.1, weight.shape))
    return network


def test_a_run_is_loaded_as_it_was_saved(recipe: Recipe, network: keras.Model, tmp_path: Path):
    save_network(tmp_path, recipe, 4, network)
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
    loaded, again = load_run(tmp_path)
    assert loaded.optimization.steps == 4
    assert loaded.source == recipe.source
    np.testing.assert_array_equal(network(NOISY), again(NOISY))


def test_keras_reads_the_file_as_well(recipe: Recipe, network: keras.Model, tmp_path: Path):
    save_network(tmp_path, recipe, 4, network)
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(network(NOISY), again(NOISY))


def test_a_network_in_integers_is_loaded_as_it_was_saved(
    recipe: Recipe, network: keras.Model, tmp_path: Path
):
    rounded = build_rounded(recipe.model.architecture, recipe.model.config)
    copy_weights(network, rounded)
    set_scales(rounded, [NOISY])
    save_network(tmp_path, recipe, 4, rounded)
    again = load_run(tmp_path)[1]
    np.testing.assert_array_equal(rounded(NOISY), again(NOISY))
    assert len(again.trainable_variables) == len(rounded.trainable_variables)


def test_a_folder_without_a_network_is_no_run(tmp_path: Path):
    assert not is_run(tmp_path)
    for read in (read_run, load_run):
        with pytest.raises(RecipeError, match="contains no training run; name the folder"):
            read(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "text", "no record", "another record"])
def test_a_damaged_file_is_refused_in_one_line(
    recipe: Recipe, network: keras.Model, tmp_path: Path, damage: str
):
    save_network(tmp_path, recipe, 4, network)
    file = tmp_path / "model.keras"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "text":
        file.write_bytes(b"no network")
    else:
        network.save(file)
    if damage == "another record":
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("kerasdenoise.json", '{"step": -1, "recipe": ""}')
    with pytest.raises(RecipeError) as caught:
        load_run(tmp_path)
    assert str(caught.value).startswith(f"{file}: is not the network of a run (")
    assert "\n" not in str(caught.value)


def test_code_of_its_own_is_not_run(tmp_path: Path):
    noisy = keras.Input((None, None, 3))
    network = keras.Model(noisy, keras.layers.Lambda(lambda x: 2 * x)(noisy))
    network.save(tmp_path / "model.keras")
    with pytest.raises(ModelError, match="holds code of its own"):
        load_network(tmp_path / "model.keras")
