from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError, RecipeError
from kerasdenoise.export.litert import write_litert
from kerasdenoise.export.model_package import write_saved_model
from kerasdenoise.models import get_architecture, get_parts
from kerasdenoise.models._parts import run_parts
from kerasdenoise.models.unet import Config, build
from kerasdenoise.training.initial_weights import (
    load_source,
    net2wider,
    read_history,
    set_initial_weights,
)
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.training.run import train
from kerasdenoise.training.tasks import build_task

SaveRun = Callable[[Recipe, Path], list[np.ndarray]]

LEVEL = "{ preset = 'tiny', estimates_level = true }"
BORDER = {
    "architecture": '"perona_malik"',
    "config": '{ preset = "border" }',
}


@pytest.fixture
def recipe(recipe_text: Callable[..., str]) -> Recipe:
    return parse_recipe(recipe_text())


def test_a_network_starts_with_the_averages_of_a_run(
    save_run: SaveRun, recipe: Recipe, recipe_text: Callable[..., str], tmp_path: Path
):
    averages = save_run(recipe, tmp_path / "first")
    start = f'{{ preset = "tiny" }}\ninitial_weights = "{(tmp_path / "first").as_posix()}"'
    second = parse_recipe(recipe_text(config=start))
    denoiser = build_task(second).denoiser
    set_initial_weights(denoiser, second)
    for weight, average in zip(denoiser.get_weights(), averages, strict=True):
        np.testing.assert_array_equal(weight, average)


def test_a_saved_model_is_a_source_as_well(recipe: Recipe, tmp_path: Path):
    denoiser = build_task(recipe).denoiser
    write_saved_model(denoiser, recipe, tmp_path / "models" / "quick")
    source = str(tmp_path / "models" / "quick")
    for weight, saved in zip(
        denoiser.get_weights(), load_source(source).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, saved)


def test_what_is_neither_run_nor_model_is_refused(tmp_path: Path):
    with pytest.raises(ModelError):
        load_source(str(tmp_path))


def test_a_part_starts_with_the_weights_of_its_own_training(
    save_run: SaveRun, recipe_text: Callable[..., str], tmp_path: Path
):
    border = parse_recipe(recipe_text(architecture='"border_unet"', config="{}"))
    averages = save_run(border, tmp_path / "border")
    parts = f"part_weights.border = '{(tmp_path / 'border').as_posix()}'"
    recipe = parse_recipe(recipe_text(**BORDER | {"config": f"{BORDER['config']}\n{parts}"}))
    denoiser = build_task(recipe).denoiser
    set_initial_weights(denoiser, recipe)
    inner = get_parts(denoiser).tile.get_layer("border")
    assert inner.trainable_variables == []
    whole = get_architecture("border_unet").build(get_architecture("border_unet").Config())
    trained = {weight.path for weight in whole.trainable_variables}
    pairs = zip(inner.weights, whole.weights, strict=True)
    found = [weight.numpy() for weight, twin in pairs if twin.path in trained]
    for weight, average in zip(found, averages, strict=True):
        np.testing.assert_array_equal(weight, average)


def test_a_part_that_is_not_there_is_refused(recipe_text: Callable[..., str]):
    recipe = parse_recipe(
        recipe_text(config='{ preset = "tiny" }\npart_weights.border = "runs/border"')
    )
    with pytest.raises(RecipeError, match=r"part 'border': .*unet; known: no"):
        set_initial_weights(build_task(recipe).denoiser, recipe)


@pytest.mark.parametrize("objective", ["noise2noise", "border"])
def test_the_noise_level_is_learned_from_clean_targets_only(
    recipe_text: Callable[..., str], objective: str
):
    config = '{ preset = "tiny", estimates_level = true }'
    recipe = parse_recipe(
        recipe_text(config=config, ema_momentum=f'0.9\nobjective = "{objective}"\nloss = "l1"')
    )
    with pytest.raises(RecipeError, match=f"objective '{objective}': has no clean target"):
        build_task(recipe)


def test_another_network_is_refused(
    save_run: SaveRun, recipe: Recipe, recipe_text: Callable[..., str], tmp_path: Path
):
    save_run(recipe, tmp_path / "first")
    wider = (
        "{ widths = [6, 8], blocks = [1, 1] }\n"
        f'initial_weights = "{(tmp_path / "first").as_posix()}"'
    )
    second = parse_recipe(recipe_text(config=wider))
    with pytest.raises(RecipeError, match=r"different network .*unet"):
        set_initial_weights(build_task(second).denoiser, second)


def test_building_keeps_the_dtype_policy(recipe_text: Callable[..., str]):
    before = keras.config.dtype_policy().name
    recipe = parse_recipe(recipe_text(config='{ preset = "tiny" }\ndtype = "mixed_bfloat16"'))
    denoiser = build_task(recipe).denoiser
    assert denoiser.get_layer("head").compute_dtype == "bfloat16"
    assert denoiser.output.dtype == "float32"
    assert keras.config.dtype_policy().name == before


def test_a_network_trained_in_lower_precision_is_exported_in_full(
    save_run: SaveRun, recipe_text: Callable[..., str], tmp_path: Path
):
    mixed = parse_recipe(recipe_text(config='{ preset = "tiny" }\ndtype = "mixed_bfloat16"'))
    averages = save_run(mixed, tmp_path / "run")
    recipe, denoiser = load_run(tmp_path / "run")
    assert recipe.model.dtype == "mixed_bfloat16"
    assert denoiser.get_layer("head").compute_dtype == "float32"
    for weight, average in zip(denoiser.get_weights(), averages, strict=True):
        np.testing.assert_array_equal(weight, average)
    assert write_litert(denoiser, tmp_path, stride=4) < 1e-4


def test_a_frozen_part_without_weights_is_refused(recipe_text: Callable[..., str]):
    recipe = parse_recipe(recipe_text(**BORDER))
    with pytest.raises(RecipeError, match=r"part 'border': .*perona_malik"):
        set_initial_weights(build_task(recipe).denoiser, recipe)


def test_the_history_of_a_saved_model_is_in_its_folder(
    save_run: SaveRun, recipe: Recipe, recipe_text: Callable[..., str], tmp_path: Path
):
    save_run(recipe, tmp_path / "first")
    start = f'{{ preset = "tiny" }}\ninitial_weights = "{(tmp_path / "first").as_posix()}"'
    second = parse_recipe(recipe_text(config=start))
    write_saved_model(build_task(second).denoiser, second, tmp_path / "models" / "quick")
    (tmp_path / "first" / "model.keras").unlink()
    start = f'{{ preset = "tiny" }}\ninitial_weights = "{(tmp_path / "models/quick").as_posix()}"'
    third = parse_recipe(recipe_text(config=start))
    assert read_history(third) == [second.source, recipe.source]


def test_a_finished_network_keeps_a_share_of_its_initial_weights(
    save_run: SaveRun, recipe: Recipe, recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    first = save_run(recipe, tmp_path / "first")
    start = f'{{ preset = "tiny" }}\ninitial_weights = "{(tmp_path / "first").as_posix()}"'
    whole = parse_recipe(recipe_text(config=start))
    mixed = parse_recipe(recipe_text(config=f"{start}\ninitial_share = 0.25"))
    for each, name in ((whole, "whole"), (mixed, "mixed")):
        train(each, tmp_path / name, photos)
    learned, found = (load_run(tmp_path / name)[1].get_weights() for name in ("whole", "mixed"))
    assert any((one != other).any() for one, other in zip(first, learned, strict=True))
    for one, other, weight in zip(first, learned, found, strict=True):
        np.testing.assert_allclose(weight, 0.25 * one + 0.75 * other, atol=1e-6)


def test_a_share_is_left_once_however_often_the_run_is_resumed(
    save_run: SaveRun, recipe: Recipe, recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    save_run(recipe, tmp_path / "first")
    start = f'{{ preset = "tiny" }}\ninitial_weights = "{(tmp_path / "first").as_posix()}"'
    mixed = parse_recipe(recipe_text(config=f"{start}\ninitial_share = 0.25"))
    train(mixed, tmp_path / "once", photos)
    train(mixed, tmp_path / "twice", photos, stop_at=3)
    train(mixed, tmp_path / "twice", photos)
    (tmp_path / "twice" / "model.keras").unlink()  # made anew of the checkpoint
    train(mixed, tmp_path / "twice", photos)
    once, twice = (load_run(tmp_path / name)[1].get_weights() for name in ("once", "twice"))
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_share_of_nothing_is_refused(recipe_text: Callable[..., str]):
    config = '{ preset = "tiny" }\ninitial_share = 0.5'
    with pytest.raises(RecipeError, match=r"initial_share: .*initial_weights"):
        parse_recipe(recipe_text(config=config))


def test_a_part_starts_with_that_of_another_network(
    save_run: SaveRun, recipe_text: Callable[..., str], tmp_path: Path
):
    given = parse_recipe(recipe_text(config=LEVEL, seed="9"))
    save_run(given, tmp_path / "given")
    parts = f"part_weights.noise_level = '{(tmp_path / 'given').as_posix()}'"
    recipe = parse_recipe(recipe_text(config=f"{LEVEL}\n{parts}"))
    denoiser = build_task(recipe).denoiser
    before = denoiser.get_layer("tile").get_weights()
    set_initial_weights(denoiser, recipe)
    source = load_run(tmp_path / "given")[1].get_layer("noise_level").get_weights()
    for one, other in zip(denoiser.get_layer("noise_level").get_weights(), source, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(denoiser.get_layer("tile").get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_denoiser_behind_a_curve_starts_with_what_denoises_in_another_network(
    save_run: SaveRun, recipe_text: Callable[..., str], tmp_path: Path
):
    given = parse_recipe(recipe_text(config=LEVEL, seed="9"))
    save_run(given, tmp_path / "given")
    config = "{ denoiser = { preset = 'tiny', noise_level = true }, estimates_level = true }"
    parts = f"part_weights.denoiser = '{(tmp_path / 'given').as_posix()}'"
    text = recipe_text(architecture='"stabilized"', config=f"{config}\n{parts}")
    recipe = parse_recipe(text)
    denoiser = build_task(recipe).denoiser
    set_initial_weights(denoiser, recipe)
    inner, tile = denoiser.get_layer("tile").get_layer("denoiser"), load_run(tmp_path / "given")[1]
    noisy = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    told = [noisy, np.full((1, 16, 16, 1), 0.1, np.float32)]
    np.testing.assert_allclose(inner(told), tile.get_layer("tile")(told), atol=1e-6)


SMALL = Config(widths=(4, 8), blocks=(2, 1), estimates_level=True)
LARGE = Config(widths=(7, 8), blocks=(2, 1), estimates_level=True)


def _build(config: Config, seed: int) -> keras.Model:
    """A network whose weights are all used, as those of a trained one."""
    keras.utils.set_random_seed(seed)
    network = build(config)
    rng = np.random.default_rng(seed)
    for weight in network.trainable_weights:
        weight.assign(rng.normal(0, 0.1, weight.shape))
    return network


@pytest.fixture
def small() -> keras.Model:
    return _build(SMALL, 0)


def test_a_grown_network_computes_what_the_smaller_one_does(small: keras.Model):
    large = build(LARGE)
    net2wider(large, small)
    noisy = np.random.default_rng(1).random((2, 40, 24, 3), np.float32)
    before, after = np.array(small(noisy)), np.array(large(noisy))
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert np.abs(after - noisy).max() > 0.01


def test_new_channels_live_and_learn(small: keras.Model):
    large = _build(LARGE, 1)
    net2wider(large, small)
    noisy = np.random.default_rng(1).random((1, 32, 32, 3), np.float32)
    tile, given = run_parts(large, noisy)[-1]
    layer = tile.get_layer("encoder_0_0_conv1")
    answers = np.array(keras.Model(tile.input, layer.output)(given))[..., 4:]
    assert (answers > 0).mean(axis=(0, 1, 2)).min() > 0
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    assert kernel[..., :4, 4:].any()
    assert not kernel[..., 4:, :4].any()
    np.testing.assert_allclose(kernel[..., 4:].mean(axis=(0, 1)), 0, atol=1e-6)


def test_a_network_of_equal_size_gets_all_weights(small: keras.Model):
    same = _build(SMALL, 1)
    net2wider(same, small)
    for weight, old in zip(same.get_weights(), small.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize(
    "config",
    [
        Config(widths=(3, 8), blocks=(2, 1), estimates_level=True),
        Config(widths=(8, 8), blocks=(1, 1), estimates_level=True),
        Config(widths=(8, 8, 8), blocks=(2, 1, 1), estimates_level=True),
        Config(widths=(8, 8), blocks=(2, 1)),
    ],
)
def test_what_cannot_hold_it_is_refused(small: keras.Model, config: Config):
    with pytest.raises(ModelError, match=r"cannot hold|other layers"):
        net2wider(build(config), small)


def test_channels_that_meet_side_by_side_are_refused():
    def join(width: int) -> keras.Model:
        image = keras.Input((None, None, 3))
        wide = keras.layers.Conv2D(width, 3, padding="same", name="wide")(image)
        joined = keras.layers.Concatenate(name="joined")([wide, image])
        return keras.Model(image, keras.layers.Conv2D(3, 1, name="last")(joined))

    with pytest.raises(ModelError, match="differs"):
        net2wider(join(6), join(4))


def test_a_recipe_grows_a_saved_model(recipe_text: Callable[..., str], tmp_path: Path):
    first = parse_recipe(recipe_text())
    small = build_task(first).denoiser
    for weight in small.trainable_weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.1, weight.shape))
    write_saved_model(small, first, tmp_path / "small")
    start = (
        f"{{ widths = [8, 12], blocks = [1, 1] }}\nnet2wider = true\n"
        f'initial_weights = "{(tmp_path / "small").as_posix()}"'
    )
    recipe = parse_recipe(recipe_text(config=start))
    large = build_task(recipe).denoiser
    set_initial_weights(large, recipe)
    assert large.count_params() > small.count_params()
    noisy = np.random.default_rng(1).random((1, 32, 32, 3), np.float32)
    np.testing.assert_allclose(np.array(large(noisy)), np.array(small(noisy)), atol=1e-5)


def test_kernels_start_as_the_recipe_says(recipe_text: Callable[..., str]):
    def start(initializer: str, seed: int = 1) -> list[np.ndarray]:
        config = f'{{ preset = "tiny" }}\nkernel_initializer = "{initializer}"'
        recipe = dataclasses.replace(parse_recipe(recipe_text(config=config)), seed=seed)
        denoiser = build_task(recipe).denoiser
        set_initial_weights(denoiser, recipe)
        tile = get_parts(denoiser).tile
        return [tile.get_layer(name).get_weights()[0] for name in ("head", "encoder_0_0_conv1")]

    for kernel in start("orthogonal"):
        flat = kernel.reshape(-1, kernel.shape[-1]).astype("float64")
        product = flat.T @ flat if flat.shape[0] > flat.shape[1] else flat @ flat.T
        np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-5)
    one, same, other = start("he_normal"), start("he_normal"), start("he_normal", seed=2)
    for first, again, different in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(first, again)
        assert (first != different).mean() > 0.9


def test_an_initializer_without_effect_is_refused(recipe_text: Callable[..., str]):
    config = '{ preset = "tiny" }\nkernel_initializer = "he_normal"\ninitial_weights = "photo"'
    with pytest.raises(RecipeError, match="kernel_initializer"):
        parse_recipe(recipe_text(config=config))
