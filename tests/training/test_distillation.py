from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError, RecipeError
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.training.run import train
from kerasdenoise.training.tasks import build_task
from kerasdenoise.training.tasks.distillation import (
    Distillation,
    Teacher,
    compare_with_teacher,
    load_teacher,
)

CONFIG = "{ preset = 'tiny' }"
# Gray enough that hardly anything is clipped.
CLEAN = 0.4 + 0.2 * np.random.default_rng(0).random((4, 48, 48, 3), np.float32)


@pytest.fixture(scope="module")
def teacher(recipe_text: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a network that has learned something."""
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    recipe = parse_recipe(recipe_text(config=CONFIG, steps="60", interval="60"))
    train(recipe, folder, Path(recipe.data.root))
    return folder


@pytest.fixture(scope="module")
def text(recipe_text: Callable[..., str], teacher: Path) -> Callable[..., str]:
    """The recipe of what learns from it, with some of its model's lines changed."""

    def make(config: str = CONFIG, **lines: str) -> str:
        model = f"{config}\nteacher = '{teacher.as_posix()}'"
        return recipe_text(config=model, **lines).replace("\nsteps =", '\nloss = "psnr"\nsteps =')

    return make


@pytest.fixture(scope="module")
def recipe(text: Callable[..., str]) -> Recipe:
    return parse_recipe(text(steps="60", interval="20"))


def _make(recipe: Recipe) -> Distillation:
    task = build_task(recipe)
    assert isinstance(task, Distillation)
    return task


def test_it_comes_closer_to_its_teacher_and_is_kept_alone(recipe: Recipe, tmp_path: Path):
    train(recipe, tmp_path / "run", Path(recipe.data.root))
    log = (tmp_path / "run" / "log.jsonl").read_text("utf-8")
    losses = [json.loads(line)["loss"] for line in log.splitlines()]
    assert losses[-1] < 0.8 * losses[0]
    # It is loaded without the teacher, which need not be there any more.
    without = load_run(tmp_path / "run")[1].get_weights()
    own = _make(recipe).denoiser.weights
    assert [each.shape for each in without] == [each.shape for each in own]


def test_the_teacher_is_no_part_of_the_task(recipe: Recipe):
    task = _make(recipe)
    own = [*task.denoiser.variables, task.seed_generator.state]
    assert {id(variable) for variable in task.variables} == {id(variable) for variable in own}


def test_a_network_that_estimates_the_level_learns_from_one_that_goes_by_it(
    recipe_text: Callable[..., str], floats: Path, tmp_path: Path
):
    model = f"{{ preset = 'tiny', estimates_level = true }}\nteacher = '{floats.as_posix()}'"
    text = recipe_text(config=model, steps="150", interval="25")
    second = parse_recipe(text.replace("\nsteps =", '\nloss = "psnr"\nsteps ='))
    train(second, tmp_path / "second", Path(second.data.root))
    log = (tmp_path / "second" / "log.jsonl").read_text("utf-8")
    losses = [json.loads(line)["loss"] for line in log.splitlines()]
    assert losses[-1] < 0.8 * losses[0]
    seen = build_task(second)(CLEAN)
    assert seen["taught"].shape == seen["denoised"].shape


def test_a_teacher_without_a_level_cannot_teach_a_network_with_one(text: Callable[..., str]):
    recipe = parse_recipe(text(config="{ preset = 'tiny', estimates_level = true }"))
    with pytest.raises(RecipeError, match="level of the noise"):
        load_teacher(recipe)


@pytest.mark.parametrize(
    ("config", "line", "told"),
    [
        (f"{CONFIG}\nquantization_aware = true", "", "imitates what it starts from"),
        (CONFIG, 'loss = "l1"', "where a teacher's is 'psnr'"),
        (CONFIG, 'objective = "noise2noise"', "has the objective 'noise2noise'"),
    ],
)
def test_what_cannot_be_taught_is_refused(
    text: Callable[..., str], config: str, line: str, told: str
):
    recipe = text(config=config)
    if line.startswith("loss"):
        recipe = recipe.replace('loss = "psnr"', line)
    elif line:
        recipe = recipe.replace('loss = "psnr"', f'loss = "psnr"\n{line}')
    with pytest.raises(RecipeError, match=told):
        build_task(parse_recipe(recipe))


def test_a_teacher_of_other_images_is_refused(text: Callable[..., str]):
    recipe = parse_recipe(text(config="{ preset = 'tiny', channels = 1 }"))
    with pytest.raises(RecipeError, match="noisy image alone"):
        load_teacher(recipe)


def test_a_teacher_that_is_not_there_is_refused(recipe_text: Callable[..., str]):
    recipe = parse_recipe(recipe_text(config=f'{CONFIG}\nteacher = "nowhere"'))
    with pytest.raises(ModelError, match="nowhere"):
        load_teacher(recipe)


def test_weights_decay_with_a_teacher_too(text: Callable[..., str]):
    plain, decaying = (
        _make(parse_recipe(text().replace("\nsteps =", f"\nweight_decay = {decay}\nsteps =")))
        for decay in (0.0, 2.0)
    )
    seen = plain(CLEAN)
    squares = sum(float(np.square(w).sum()) for w in decaying.trainable_variables)
    added = decaying.compute_loss(None, None, seen) - plain.compute_loss(None, None, seen)
    assert float(added) == pytest.approx(squares, rel=1e-3)


def test_a_teacher_in_integers_is_refused(
    recipe_text: Callable[..., str],
    text: Callable[..., str],
    teacher: Path,
    save_run: Callable[..., Any],
    tmp_path: Path,
):
    model = f"{CONFIG}\nquantization_aware = true\ninitial_weights = '{teacher.as_posix()}'"
    rounded = recipe_text(config=model).replace("\nsteps =", '\nloss = "psnr"\nsteps =')
    save_run(parse_recipe(rounded), tmp_path / "integers")
    recipe = parse_recipe(text().replace(teacher.as_posix(), (tmp_path / "integers").as_posix()))
    with pytest.raises(RecipeError, match=r"integers; .*imitates"):
        load_teacher(recipe)


PATCHES = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)


def _network(*, of_two: bool = False) -> keras.Model:
    """A convolution that gives another result for each flip and turn."""
    noisy = keras.Input((None, None, 3))
    kernel = np.random.default_rng(1).normal(0, 0.1, (3, 3, 3, 3))
    convolution = keras.layers.Conv2D(
        3, 3, padding="same", kernel_initializer=keras.initializers.Constant(kernel)
    )
    if not of_two:
        return keras.Model(noisy, 0.5 + convolution(noisy))
    level = keras.Input((None, None, 1))
    return keras.Model([noisy, level], 0.5 + convolution(noisy) + level)


def _all_turns(network: keras.Model) -> list[np.ndarray]:
    results = []
    for number in range(4):
        for mirror in (False, True):
            turned = np.rot90(PATCHES, number, (1, 2))
            turned = turned[:, ::-1] if mirror else turned
            denoised = np.asarray(network(np.ascontiguousarray(turned)))
            denoised = denoised[:, ::-1] if mirror else denoised
            results.append(np.rot90(denoised, -number, (1, 2)).clip(0, 1))
    return results


def test_each_result_is_that_of_one_of_eight_turns():
    network = _network()
    teacher, seed = Teacher(network), keras.random.SeedGenerator(0)
    found = set()
    for _ in range(100):
        taught = np.asarray(teacher(PATCHES, seed))
        errors = [np.abs(taught - turned).max() for turned in _all_turns(network)]
        assert min(errors) < 1e-5
        found.add(int(np.argmin(errors)))
    assert found == set(range(8))


def test_the_level_is_turned_with_the_picture():
    level = np.float32(0.1) * np.arange(16, dtype=np.float32)[:, None, None] / 16
    level = np.broadcast_to(level, (2, 16, 16, 1))
    pair = Teacher(_network(of_two=True))
    alone = Teacher(_network())
    both = np.asarray(pair([PATCHES, level], keras.random.SeedGenerator(3)))
    without = np.asarray(alone(PATCHES, keras.random.SeedGenerator(3)))
    np.testing.assert_allclose(both, np.clip(without + level, 0, 1), atol=1e-5)


def test_there_is_no_gradient():
    import tensorflow as tf

    values = tf.constant(PATCHES)
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = tf.reduce_sum(Teacher(_network())(values, keras.random.SeedGenerator(0)))
    assert tape.gradient(loss, values) is None


def test_each_patch_counts_by_the_inverse_of_its_error():
    clean = np.zeros((2, 8, 8, 3), np.float32)
    denoised = clean + np.array([0.1, 0.01], np.float32).reshape(2, 1, 1, 1)
    seen = {"target": clean, "denoised": denoised, "taught": 0.5 * denoised}
    assert float(compare_with_teacher(seen)) == pytest.approx(0.25, rel=0.02)
