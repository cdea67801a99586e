from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.training.silence import measure_silence


@pytest.fixture
def noisy() -> np.ndarray:
    return np.random.default_rng(0).random((2, 16, 16, 3), np.float32)


def make_network(activation: str) -> keras.Model:
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


def silence(layer: keras.layers.Layer, channels: list[int]) -> None:
    kernel = keras.ops.convert_to_numpy(layer.kernel).copy()
    kernel[..., channels] *= -1
    layer.kernel.assign(kernel)


def test_units_that_answer_are_not_counted(noisy: np.ndarray):
    assert measure_silence(make_network("relu"), noisy) == 0


def test_silent_units_of_all_kinds_of_relu_are_counted(noisy: np.ndarray):
    network = make_network("relu")
    silence(network.get_layer("first"), [0, 2])
    silence(network.get_layer("second"), [1])
    assert measure_silence(network, noisy) == 3 / 8


def test_a_unit_that_answers_to_one_image_is_not_silent(noisy: np.ndarray):
    network = make_network("relu")
    silence(network.get_layer("first"), [0])
    # Of a negative image that unit answers, and all others are silent.
    assert measure_silence(network, np.stack([noisy[0], -noisy[1]])) == 0


def test_networks_without_relu_have_no_silent_units(noisy: np.ndarray):
    assert measure_silence(make_network("linear"), noisy) == 0


def test_a_single_relu_is_counted_by_channels(noisy: np.ndarray):
    inputs = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(4, 1, activation="relu", use_bias=False)
    network = keras.Model(inputs, layer(inputs))
    layer.kernel.assign(np.abs(keras.ops.convert_to_numpy(layer.kernel)))
    silence(layer, [2])
    assert measure_silence(network, noisy) == 0.25
