from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.export.kinds import fix_scales, has_fixed_scales, write_int8
from kerasdenoise.export.mobile import MobilePrimitives, fix_size
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.models import find_builder, get_parts
from kerasdenoise.models._parts import find_layers
from kerasdenoise.models.unet import Config
from kerasdenoise.training.fake_quantization import Rounded, build_rounded, set_scales
from kerasdenoise.zoo.info import INT8

CONFIG = Config(widths=(4, 8), blocks=(1, 1), estimates_level=True)
BUILD = find_builder("unet", CONFIG)
assert BUILD is not None


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
