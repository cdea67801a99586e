from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.models import get_architecture, make_config, split_noise_level
from kerasdenoise.models.unet import Config, build
from kerasdenoise.training.fake_quantization import (
    Rounded,
    RoundedConv2D,
    round_network,
    set_scales,
    tensors_rounded_by,
)

NOISY = np.random.default_rng(0).random((4, 32, 32, 3), np.float32)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network that estimates the level, and changes its input."""
    keras.utils.set_random_seed(0)
    network = build(Config(widths=(4, 8), blocks=(1, 1), estimates_level=True))
    tail = network.get_layer("tail")
    tail.set_weights([0.05 * np.random.default_rng(0).standard_normal(tail.weights[0].shape)])
    return network


@pytest.fixture(scope="module")
def rounded(network: keras.Model) -> keras.Model:
    rounded = round_network(network)
    for layer in network.layers:
        rounded.get_layer(layer.name).set_weights(layer.get_weights())
    set_scales(rounded, [NOISY])
    return rounded


def test_values_are_rounded_and_cut_off():
    layer = Rounded(signed=True)
    layer.build((5,))
    layer.scale = 0.5
    values = np.array([-100, -0.6, 0.2, 0.3, 100], np.float32)
    np.testing.assert_allclose(layer(values), [-64, -0.5, 0, 0.5, 63.5], rtol=1e-6)
    positive = Rounded(signed=False)
    positive.build((3,))
    positive.scale = 0.5
    values = np.array([-1, 0.3, 200], np.float32)
    np.testing.assert_allclose(positive(values), [0, 0.5, 127.5], rtol=1e-6)


def test_a_pictures_scale_is_not_learned():
    layer = Rounded(signed=False, picture=True)
    pixels = np.arange(256, dtype=np.float32) / 255
    np.testing.assert_allclose(layer(pixels), pixels, atol=1e-6)
    assert not layer.trainable_variables


def test_gradients_pass_rounding_and_not_what_is_cut_off():
    import tensorflow as tf

    layer = Rounded(signed=True)
    layer.build((3,))
    layer.scale = 0.01
    values = tf.constant([0.1234, -0.5, 9.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = tf.reduce_sum(layer(values))
    by_value, by_scale = tape.gradient(loss, [values, layer.log_scale.value])
    np.testing.assert_allclose(by_value, [1, 1, 0])
    # A larger scale would cut off less of the last value.
    assert float(by_scale) > 0


def test_weights_have_8_bits_for_each_output_channel():
    layer = RoundedConv2D(2, 1, use_bias=False)
    layer.build((None, 1, 1, 3))
    kernel = np.array([[1.0, 0.01], [0.0039, 0.0051], [-0.5, 0.002]], np.float32)
    layer.set_weights([kernel[None, None]])
    seen = np.asarray(layer(np.eye(3, dtype=np.float32)[:, None, None])).reshape(3, 2)
    scale = np.abs(kernel).max(axis=0) / 127
    np.testing.assert_allclose(seen, np.rint(kernel / scale) * scale, rtol=1e-5, atol=1e-8)
    assert np.abs(seen - kernel).max() > 0.001  # the second channel alone is rounded finely


def test_a_rounded_network_gives_nearly_the_same_pictures(
    network: keras.Model, rounded: keras.Model
):
    exact = np.clip(network(NOISY), 0, 1)
    denoised = np.asarray(rounded(NOISY))
    change = np.sqrt(np.mean(np.square(exact - NOISY)))
    assert change > 0.05
    assert 0 < np.sqrt(np.mean(np.square(exact - denoised))) < 0.2 * change
    np.testing.assert_allclose(255 * denoised, np.rint(255 * denoised), atol=1e-3)


def test_it_keeps_the_place_of_the_noise_level(network: keras.Model, rounded: keras.Model):
    (own, same) = split_noise_level(network), split_noise_level(rounded)
    assert own is not None
    assert same is not None
    level = np.asarray(own.estimator(NOISY))
    np.testing.assert_allclose(same.estimator(NOISY), level, atol=0.05 * level.max())


def test_every_value_that_is_used_is_rounded_once(rounded: keras.Model):
    by_name = {layer.name: layer for layer in rounded.layers}
    for name in ("head", "encoder_0_0_conv1", "down_1", "level_cells"):
        assert isinstance(by_name[f"{name}_rounded"], Rounded)
    # What is moved is rounded behind that, and nothing twice.
    assert "up_0_rounded" not in by_name
    for source in _sources(rounded):
        assert not isinstance(source, Rounded)


def test_sums_and_what_they_are_of_have_one_scale(rounded: keras.Model):
    top = rounded.get_layer("head_rounded")
    sources = [value._keras_history.operation.name for value in tensors_rounded_by(top, rounded)]
    assert [name for name in sources if not name.startswith("depth_to_space")] == [
        *("head", "encoder_0_0_conv2", "encoder_0_0_add"),
        *("skip_0", "decoder_0_0_conv2", "decoder_0_0_add"),
    ]
    # So a sum is rounded already, unless it is cut off.
    skip = rounded.get_layer("skip_0")
    values = np.asarray(keras.Model(rounded.input, skip.output)(NOISY)) / top.scale
    np.testing.assert_allclose(values, np.rint(values), atol=1e-3)


def _sources(network: keras.Model) -> list[object]:
    """What gives the tensors that are rounded."""
    return [
        value._keras_history.operation
        for layer in network.layers
        if isinstance(layer, Rounded)
        for value in tensors_rounded_by(layer, network)
    ]


def test_values_behind_a_relu_use_all_of_the_scale(rounded: keras.Model):
    assert rounded.get_layer("encoder_0_0_conv1_rounded").low == 0
    assert rounded.get_layer("down_1_rounded").low == -128


def test_scales_fit_what_is_seen(network: keras.Model, rounded: keras.Model):
    names = ("head", "encoder_0_0_add", "decoder_0_0_add")
    stream = keras.Model(network.input, [network.get_layer(name).output for name in names])
    widest = max(np.abs(values).max() for values in stream(NOISY)) / 127
    scale = rounded.get_layer("head_rounded").scale
    assert 0.1 * widest < scale < 1.1 * widest


def test_a_network_of_other_layers_is_refused():
    network = get_architecture("dncnn").build(make_config("dncnn", {"preset": "tiny"}))
    with pytest.raises(RecipeError, match="integers are not known"):
        round_network(network)


def test_a_network_that_is_told_the_level_is_refused():
    network = build(Config(widths=(4, 8), blocks=(1, 1), noise_level=True))
    with pytest.raises(RecipeError, match="told the noise level"):
        round_network(network)
