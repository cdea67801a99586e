from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.models import get_architecture, make_config
from kerasdenoise.models.unet import PRESETS, build
from kerasdenoise.training.dead_units import measure_dead_units, revive


@pytest.fixture
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    network = build(PRESETS["tiny"])
    # Trained ones have a tail, and blocks, that are not zero.
    for weight in network.trainable_weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.1, weight.shape))
    return network


@pytest.fixture
def noisy() -> np.ndarray:
    return np.random.default_rng(1).random((2, 32, 32, 3), np.float32)


def _kill(layer: keras.layers.Layer, channels: list[int]) -> None:
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    kernel[..., channels] = -np.abs(kernel[..., channels])
    layer.kernel.assign(kernel)


def _make_rectified(activation: str) -> keras.Model:
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, activation=activation, use_bias=False, name="first")(inputs)
    x = keras.layers.Conv2D(4, 1, use_bias=False, name="second")(x)
    if activation == "relu":
        x = keras.layers.ReLU()(x)
    network = keras.Model(inputs, x)
    for name in ("first", "second"):
        kernel = network.get_layer(name).kernel
        kernel.assign(np.abs(keras.ops.convert_to_numpy(kernel)))
    return network


def test_units_that_answer_are_not_counted(noisy: np.ndarray):
    assert measure_dead_units(_make_rectified("relu"), noisy) == 0


def test_dead_units_of_all_kinds_of_relu_are_counted(noisy: np.ndarray):
    network = _make_rectified("relu")
    _kill(network.get_layer("first"), [0, 2])
    _kill(network.get_layer("second"), [1])
    assert measure_dead_units(network, noisy) == 3 / 8


def test_a_unit_that_answers_to_one_image_is_not_dead(noisy: np.ndarray):
    network = _make_rectified("relu")
    _kill(network.get_layer("first"), [0])
    # Of a negative image that unit answers, and all others are dead.
    assert measure_dead_units(network, np.stack([noisy[0], -noisy[1]])) == 0


def test_networks_without_relu_have_no_dead_units(noisy: np.ndarray):
    assert measure_dead_units(_make_rectified("linear"), noisy) == 0


def test_a_single_relu_is_counted_by_channels(noisy: np.ndarray):
    inputs = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(4, 1, activation="relu", use_bias=False)
    network = keras.Model(inputs, layer(inputs))
    layer.kernel.assign(np.abs(keras.ops.convert_to_numpy(layer.kernel)))
    _kill(layer, [2])
    assert measure_dead_units(network, noisy) == 0.25


def test_a_network_that_lives_is_left_alone(network: keras.Model, noisy: np.ndarray):
    before = network.get_weights()
    assert revive(network, [noisy]) == {}
    for weight, kept in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_dead_channels_live_again_and_change_nothing_yet(network: keras.Model, noisy: np.ndarray):
    layer = network.get_layer("encoder_0_0_conv1")
    network.get_layer("head").kernel.assign(np.abs(network.get_layer("head").kernel))
    _kill(layer, [0, 2])
    before = np.array(network(noisy))
    revived = revive(network, [noisy, noisy / 2])
    assert revived["encoder_0_0_conv1"] == 2
    np.testing.assert_allclose(np.array(network(noisy)), before, atol=1e-6)
    answers = np.array(keras.Model(network.input, layer.output)(noisy))
    assert (answers > 0).mean(axis=(0, 1, 2)).min() > 0
    kernel = keras.ops.convert_to_numpy(network.get_layer("encoder_0_0_conv2").kernel)
    assert not kernel[:, :, [0, 2]].any()


def test_channels_that_live_in_one_batch_are_not_dead(network: keras.Model, noisy: np.ndarray):
    network.get_layer("head").kernel.assign(np.abs(network.get_layer("head").kernel))
    layer = network.get_layer("encoder_0_0_conv1")
    _kill(layer, [1])
    # Of a negative picture the same channel answers.
    assert revive(network, [noisy, -noisy]) == {}


@pytest.mark.parametrize("name", ["dncnn", "denoising_autoencoder", "lambda_net"])
def test_networks_of_one_such_layer_or_none_are_taken(name: str, noisy: np.ndarray):
    network = get_architecture(name).build(make_config(name, {"preset": "tiny"}))
    before = np.array(network(noisy))
    revive(network, [noisy])
    np.testing.assert_allclose(np.array(network(noisy)), before, atol=1e-6)


def test_a_channel_that_its_bias_silences_lives_again(noisy: np.ndarray):
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    network = keras.Model(inputs, keras.layers.Conv2D(3, 3)(x))
    first = network.get_layer("first")
    first.bias.assign([0.5, -10, 0.5, 0.5])
    assert revive(network, [noisy])["first"] >= 1
    assert revive(network, [noisy]) == {}
    assert keras.ops.convert_to_numpy(first.bias)[1] == 0
