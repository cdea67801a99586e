"""What every architecture must do, tried with its smallest preset."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import ModelT

from kerasdenoise.export.litert import check_parity, export_litert
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.models import get_architecture, list_architectures, make_config

SHIPPED = Path(__file__).parents[2] / "saved_models"


def _smallest(architecture: str) -> Any:
    module = get_architecture(architecture)
    presets = module.PRESETS
    if "tiny" in presets:
        return presets["tiny"]
    return min(presets.values(), key=lambda config: module.build(config).count_params())


def _randomize(network: keras.Model, seed: int, shape: Callable = lambda values: values) -> None:
    """Gives all weights random values that keep the size of what flows through them."""
    rng = np.random.default_rng(seed)
    for weight in network.trainable_variables:
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        weight.assign(shape(rng.normal(0, fan_in**-0.5, weight.shape)))


def _noisy(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).random(shape, np.float32)


def _denoise(network: keras.Model, noisy: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(noisy, training=False))


@pytest.fixture(scope="module", params=list_architectures())
def architecture(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=[1, 3], ids=["gray", "color"])
def config(architecture: str, request: pytest.FixtureRequest) -> Any:
    return dataclasses.replace(_smallest(architecture), channels=request.param)


@pytest.fixture(scope="module")
def network(architecture: str, config: Any) -> keras.Model:
    network = get_architecture(architecture).build(config)
    _randomize(network, seed=2)
    return network


@pytest.fixture(scope="module")
def litert(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("litert") / "model.tflite"
    export_litert(network, path)
    return path


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 2), (8, 8)])
def test_any_multiple_of_the_stride_comes_out_as_it_went_in(
    network: keras.Model, config: Any, size: tuple[int, int]
):
    noisy = _noisy(2, *(config.stride * n for n in size), config.channels)
    denoised = _denoise(network, noisy)
    assert denoised.shape == noisy.shape
    assert denoised.dtype == np.float32
    assert np.isfinite(denoised).all()


def test_the_images_of_a_batch_do_not_mix(network: keras.Model, config: Any):
    noisy = _noisy(3, 4 * config.stride, 4 * config.stride, config.channels)
    alone = np.concatenate([_denoise(network, image[np.newaxis]) for image in noisy])
    np.testing.assert_allclose(_denoise(network, noisy), alone, atol=1e-5)


def test_a_config_survives_json(architecture: str, config: Any):
    assert make_config(architecture, json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_every_preset_makes_a_config(architecture: str):
    for name, preset in get_architecture(architecture).PRESETS.items():
        assert make_config(architecture, {"preset": name}) == preset
        assert preset.stride >= 1
        assert preset.radius is None or preset.radius >= 0


def test_every_layer_has_a_name_of_its_own(architecture: str, config: Any):
    build = get_architecture(architecture).build
    weights = [[weight.path for weight in build(config).weights] for _ in range(2)]
    assert weights[0] == weights[1]  # a counted name would differ: conv2d, conv2d_1


def test_a_saved_network_loads_equal(network: keras.Model, config: Any, tmp_path: Path):
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    noisy = _noisy(1, 4 * config.stride, 3 * config.stride, config.channels)
    np.testing.assert_array_equal(_denoise(loaded, noisy), _denoise(network, noisy))


def test_litert_computes_the_same(network: keras.Model, config: Any, litert: Path):
    assert check_parity(network, litert, config.stride) < 1e-4


def test_litert_needs_no_operation_from_elsewhere(litert: Path):
    codes = ModelT.InitFromPackedBuf(litert.read_bytes()).operatorCodes
    assert codes
    assert [code.customCode for code in codes if code.customCode is not None] == []


def test_litert_takes_any_height_and_width(litert: Path, config: Any):
    (given,) = Interpreter(model_path=str(litert)).get_input_details()
    assert given["shape_signature"].tolist() == [1, -1, -1, config.channels]


def test_the_radius_is_honest(network: keras.Model, config: Any):
    if config.radius is None:
        pytest.skip("this architecture sees the whole image")
    assert _reach(network, config, lambda kernel: kernel, 0.5) <= config.radius
    # With positive weights nothing cancels and no ReLU closes, with small ones no sigmoid
    # saturates; the large change is not lost in rounding on its long way.
    reach = _reach(network, config, _small_positive, 1e4)
    assert config.radius - config.stride <= reach <= config.radius


def _small_positive(values: np.ndarray) -> np.ndarray:
    return np.abs(values) / np.sqrt(max(16, np.prod(values.shape[:-1])))


def _reach(network: keras.Model, config: Any, shape: Callable, change: float) -> int:
    """How far a changed pixel made a difference, for each place in a cell of the stride."""
    weights = network.get_weights()
    _randomize(network, 3, shape)
    center = config.stride * (-(-config.radius // config.stride) + 1)
    side = 2 * center + config.stride
    noisy = _noisy(1, side, side, config.channels)
    before = network.predict_on_batch(noisy)
    reach = 0
    for row, column in itertools.product(range(center, center + config.stride), repeat=2):
        changed = noisy.copy()
        changed[0, row, column] += change
        rows, columns = np.nonzero((network.predict_on_batch(changed) != before)[0].any(-1))
        reach = max([reach, *abs(rows - row), *abs(columns - column)])
    network.set_weights(weights)
    return reach


def test_every_weight_gets_a_gradient(network: keras.Model, config: Any):
    noisy = _noisy(2, 4 * config.stride, 4 * config.stride, config.channels)
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(keras.ops.square(network(noisy, training=True)))
    gradients = tape.gradient(loss, [weight.value for weight in network.trainable_variables])
    idle = [
        weight.path
        for weight, gradient in zip(network.trainable_variables, gradients, strict=True)
        if gradient is None or not np.any(gradient)
    ]
    assert idle == []


@pytest.mark.parametrize("channels", [1, 3], ids=["a gray image", "a color image"])
@pytest.mark.parametrize("size", [(1, 1), (17, 23), (64, 64)])
def test_an_image_of_any_size_is_denoised(
    litert: Path, architecture: str, config: Any, size: tuple[int, int], channels: int
):
    metadata = {
        "name": "any",
        "architecture": architecture,
        "summary": "Random weights",
        "channels": config.channels,
        "stride": config.stride,
        "radius": config.radius,
    }
    (litert.parent / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    (litert.parent / "config.json").write_text("{}", "utf-8")
    pixels = _noisy(*size, channels)
    denoised = Denoiser(litert.parent).denoise_pixels(pixels)
    assert denoised.shape == pixels.shape
    assert np.isfinite(denoised).all()


def _shipped() -> list[Any]:
    index = SHIPPED / "index.json"
    names = sorted(json.loads(index.read_text("utf-8"))["models"]) if index.exists() else []
    none = pytest.param("", marks=pytest.mark.skip(reason="no model is shipped yet"))
    return [*names] or [none]


@pytest.mark.parametrize("name", _shipped())
def test_a_shipped_model_leaves_even_gray_alone(name: str):
    denoiser = Denoiser(SHIPPED / name)
    for level in (0.0, 0.02, 0.25, 0.5, 0.75, 0.98, 1.0):
        for height, width in ((1, 1), (17, 23), (64, 64), (75, 130)):
            gray = np.full((height, width, denoiser.info.channels), level, np.float32)
            change = np.abs(denoiser.denoise_pixels(gray) - level).max()
            assert change <= 1 / 255, f"{255 * change:.2f}/255 at {level} on {height}x{width}"
