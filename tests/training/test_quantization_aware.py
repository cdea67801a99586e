from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.models import get_parts
from kerasdenoise.models._parts import find_layers
from kerasdenoise.training.fake_quantization import Rounded
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.training.run import train
from kerasdenoise.training.tasks import build_task
from kerasdenoise.training.tasks.quantization_aware import QuantizationAware

CONFIG = "{ preset = 'tiny', estimates_level = true }"


@pytest.fixture(scope="module")
def recipe(recipe_text: Callable[..., str], floats: Path) -> Recipe:
    """How it is imitated."""
    model = f"{CONFIG}\nquantization_aware = true\ninitial_weights = '{floats.as_posix()}'"
    text = recipe_text(config=model, steps="60", interval="20")
    return parse_recipe(text.replace("\nsteps =", '\nloss = "psnr"\nsteps ='))


@pytest.fixture(scope="module")
def integers(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that imitates it."""
    folder = tmp_path_factory.mktemp("runs") / "integers"
    train(recipe, folder, Path(recipe.data.root))
    return folder


def test_the_integers_come_closer_to_the_floats(integers: Path):
    log = (integers / "log.jsonl").read_text("utf-8")
    losses = [json.loads(line)["loss"] for line in log.splitlines()]
    assert losses[-1] < 0.8 * losses[0]


def test_weights_stay_near_those_in_floats(floats: Path, integers: Path):
    exact, rounded = load_run(floats)[1], load_run(integers)[1]
    assert any(isinstance(layer, Rounded) for layer in find_layers(rounded))
    before = get_parts(exact).tile.get_layer("head").get_weights()[0]
    after = get_parts(rounded).tile.get_layer("head").get_weights()[0]
    assert 0 < np.abs(after - before).max() < 0.2 * np.abs(before).max()


def test_the_network_in_floats_is_not_trained(recipe: Recipe):
    task = build_task(recipe)
    assert isinstance(task, QuantizationAware)
    assert not task.imitated.trainable_variables
    assert task.denoiser.trainable_variables


@pytest.mark.slow
def test_a_run_goes_on_where_it_was(recipe: Recipe, tmp_path: Path):
    root = Path(recipe.data.root)
    train(recipe, tmp_path / "whole", root, stop_at=4)
    train(recipe, tmp_path / "parts", root, stop_at=2)
    train(recipe, tmp_path / "parts", root, stop_at=4)
    whole, parts = (load_run(tmp_path / name)[1].get_weights() for name in ("whole", "parts"))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_without_a_network_to_imitate_it_is_refused(recipe_text: Callable[..., str]):
    recipe = parse_recipe(recipe_text(config='{ preset = "tiny" }\nquantization_aware = true'))
    with pytest.raises(RecipeError, match="float network to imitate"):
        build_task(recipe)


def test_half_precision_is_refused(recipe_text: Callable[..., str]):
    model = (
        '{ preset = "tiny" }\nquantization_aware = true\ninitial_weights = "run"\n'
        'dtype = "mixed_bfloat16"'
    )
    with pytest.raises(RecipeError, match="rounds by itself"):
        build_task(parse_recipe(recipe_text(config=model)))


def test_another_loss_is_refused(recipe_text: Callable[..., str]):
    model = '{ preset = "tiny" }\nquantization_aware = true\ninitial_weights = "run"'
    with pytest.raises(RecipeError, match="loss 'l1': "):
        build_task(parse_recipe(recipe_text(config=model)))
