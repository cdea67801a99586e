from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError, RecipeError, UsageError
from kerasdenoise.export.kinds import (
    Variant,
    check_integers,
    draw_noisy_patches,
    fix_scales,
    has_fixed_scales,
    write_int8,
)
from kerasdenoise.export.litert import export_litert
from kerasdenoise.export.mobile import (
    MobilePrimitives,
    check_operations,
    fix_size,
    make_mobile,
    replace_operations,
)
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.models import build, find_builder, get_architecture, get_parts, make_config
from kerasdenoise.models._parts import find_layers
from kerasdenoise.models.unet import Config
from kerasdenoise.training.fake_quantization import Rounded, build_rounded, set_scales
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.zoo import INT8


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network that changes its input a little."""
    keras.utils.set_random_seed(0)
    network = get_architecture("unet").build(make_config("unet", {"preset": "tiny"}))
    tail = network.get_layer("tail")
    tail.set_weights([0.02 * np.random.default_rng(0).standard_normal(tail.weights[0].shape)])
    return network


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    from PIL import Image

    (tmp_path / "train").mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        coarse = Image.fromarray(rng.integers(0, 256, (13, 13, 3), np.uint8))
        coarse.resize((400, 400)).save(tmp_path / "train" / f"{number}.png")
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


@pytest.mark.parametrize(
    ("architecture", "variant", "said"),
    [
        ("lambda_net", Variant("int16x8", "mobile", 48), r"--int16x8: .*LambdaLayer.*--float16"),
        ("lambda_net", Variant("int8"), "--int8: .*LambdaLayer.*--target mobile"),
        ("lambda_net", Variant("int8", "mobile", 48), None),
        ("perona_malik", Variant("int8", "mobile", 48), "--int8: .*DiffusionStep.*--float16"),
        ("p1_diffusion", Variant("int8"), "--int8: .*DiffusionStep.*--float16"),
        ("p1_diffusion", Variant("float16", "mobile", 48), None),
        ("reaction_diffusion", Variant("int16x8"), "--int16x8: .*ReactionDiffusionStep"),
        ("reaction_diffusion", Variant("int8"), None),
    ],
)
def test_layers_without_integers_are_refused(architecture: str, variant: Variant, said: str | None):
    network = build(architecture, preset="tiny")
    if said is None:
        check_integers(network, [Variant(), variant])
        return
    with pytest.raises(UsageError, match=said):
        check_integers(network, [Variant(), variant])


def test_a_lambda_layer_for_phones_is_integers(tmp_path: Path):
    keras.utils.set_random_seed(0)
    network = build("lambda_net", preset="tiny")
    builder = find_builder("lambda_net", make_config("lambda_net", {"preset": "tiny"}))
    pixels = np.random.default_rng(1).random((4, 32, 32, 3), np.float32)
    write_int8(make_mobile(network, builder, 32, 32), tmp_path / INT8, [pixels])
    replace_operations(tmp_path / INT8)
    check_operations(tmp_path / INT8, "lambda_net")
    assert {np.dtype(tensor["dtype"]).kind for tensor in _tensors(tmp_path / INT8)} <= {"i", "u"}
    expected = np.asarray(network(pixels[:1]))
    assert np.abs(expected - expected.mean()).max() > 0.02
    (denoised,) = LiteRTEngine(tmp_path / INT8)({"noisy": pixels[:1]}).values()
    assert np.sqrt(np.mean(np.square(denoised - expected))) < 0.01


def test_patches_hold_the_recipes_noise_as_pictures_do(recipe: Recipe, photos: Path):
    batches = draw_noisy_patches(recipe, photos)
    assert {batch.shape for batch in batches} == {(16, 128, 128, 3)}
    pixels = np.stack(batches)
    assert (pixels.min(), pixels.max()) == (0, 1)
    # Between neighbors, which are nearly equal in these pictures, is the noise of both.
    difference = np.diff(pixels[..., :64, :], axis=2)
    assert np.median(np.abs(difference)) > 0.05


def test_photos_that_are_not_there_are_named(recipe: Recipe, tmp_path: Path):
    with pytest.raises(RecipeError, match="train"):
        draw_noisy_patches(recipe, tmp_path)


CONFIG = Config(widths=(4, 8), blocks=(1, 1), estimates_level=True)
BUILD: Any = find_builder("unet", CONFIG)


@pytest.fixture(scope="module")
def rounded() -> keras.Model:
    """A network in integers that estimates the level, and changes its input."""
    keras.utils.set_random_seed(0)
    rounded = build_rounded("unet", CONFIG)
    rng = np.random.default_rng(0)
    tail = get_parts(rounded).tile.get_layer("tail")
    tail.set_weights([0.01 * rng.standard_normal(tail.weights[0].shape)])
    set_scales(rounded, [rng.random((4, 32, 32, 3), np.float32)])
    return rounded


@pytest.fixture(scope="module")
def path(rounded: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("integers") / INT8
    write_int8(fix_scales(rounded, BUILD), path)
    return path


def test_the_file_gives_what_the_training_saw(rounded: keras.Model, path: Path):
    pixels = np.random.default_rng(1).integers(0, 256, (1, 48, 40, 3)) / np.float32(255)
    expected = np.asarray(rounded(pixels))
    (denoised,) = LiteRTEngine(path)({"noisy": pixels}).values()
    steps = 255 * np.abs(denoised - expected)
    assert 255 * np.abs(expected - pixels).mean() > 5  # it does something
    # LiteRT scales by integers, which now and then round to the other side.
    assert np.mean(steps > 0.5) < 0.05
    assert steps.max() < 2.5


def test_the_scales_are_those_of_the_training(rounded: keras.Model, path: Path):
    scales = [d["quantization"][0] for d in _tensors(path)]
    for layer in find_layers(rounded):
        if isinstance(layer, Rounded):
            assert min(abs(scale / layer.scale - 1) for scale in scales) < 1e-4, layer.name


def test_the_file_takes_and_gives_pictures(path: Path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] == made["dtype"] == np.uint8
    assert given["quantization"] == (pytest.approx(1 / 255), 0)
    assert made["quantization"] == (pytest.approx(1 / 255), 0)


def test_all_of_it_is_integers(path: Path):
    assert {np.dtype(tensor["dtype"]).kind for tensor in _tensors(path)} <= {"i", "u"}


def test_the_graph_for_phones_is_integers_too(rounded: keras.Model, tmp_path: Path):
    mobile = fix_scales(rounded, BUILD, MobilePrimitives(is_sized=True))
    write_int8(fix_size(mobile, 48, 40), tmp_path / INT8)
    assert {np.dtype(tensor["dtype"]).kind for tensor in _tensors(tmp_path / INT8)} <= {"i", "u"}
    pixels = np.random.default_rng(1).integers(0, 256, (1, 48, 40, 3)) / np.float32(255)
    (denoised,) = LiteRTEngine(tmp_path / INT8)({"noisy": pixels}).values()
    # Its transposed convolutions have fewer scales for their weights.
    assert 255 * np.abs(denoised - np.asarray(rounded(pixels))).mean() < 1


def test_only_what_was_fixed_has_fixed_scales(rounded: keras.Model):
    assert has_fixed_scales(fix_scales(rounded, BUILD))
    assert not has_fixed_scales(rounded)


def _tensors(path: Path) -> list[dict[str, Any]]:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path)).get_tensor_details()
