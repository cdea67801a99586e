from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.models import get_parts, make_config
from kerasdenoise.models._parts import copy_weights, find_layers, run_parts
from kerasdenoise.models.unet import Config, build
from kerasdenoise.training.fake_quantization import (
    Rounded,
    RoundedConv2D,
    build_rounded,
    observe,
    set_scales,
)

CONFIG = Config(widths=(4, 8), blocks=(1, 1), estimates_level=True)
NOISY = np.random.default_rng(0).random((4, 32, 32, 3), np.float32)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network that estimates the level, and changes its input."""
    keras.utils.set_random_seed(0)
    network = build(CONFIG)
    tail = get_parts(network).tile.get_layer("tail")
    tail.set_weights([0.05 * np.random.default_rng(0).standard_normal(tail.weights[0].shape)])
    return network


@pytest.fixture(scope="module")
def rounded(network: keras.Model) -> keras.Model:
    rounded = build_rounded("unet", CONFIG)
    copy_weights(network, rounded)
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
    own, same = (get_parts(each).noise_level for each in (network, rounded))
    assert own is not None
    assert same is not None
    level = np.asarray(own(NOISY))
    np.testing.assert_allclose(same(NOISY), level, atol=0.05 * level.max())


def _rounders(rounded: keras.Model) -> dict[str, Rounded]:
    return {each.name: each for each in find_layers(rounded) if isinstance(each, Rounded)}


def _answers(network: keras.Model, *names: str) -> list[np.ndarray]:
    """What layers of the part that denoises give of a picture."""
    tile, given = run_parts(network, np.rint(255 * NOISY) / 255)[-1]
    probe = keras.Model(tile.input, [tile.get_layer(name).output for name in names])
    return [np.asarray(values) for values in keras.tree.flatten(probe(given))]


def test_every_value_that_is_used_is_rounded_once(rounded: keras.Model):
    rounders = _rounders(rounded)
    assert rounders.keys() == {
        *("pixels", "level_conv1_rounded", "level_down2_rounded", "level_conv2_rounded"),
        *("level_down3_rounded", "level_conv3_rounded", "level_cells_rounded"),
        *("level_absolute_rounded", "noise_level_rounded", "head_rounded"),
        *("encoder_0_0_conv1_rounded", "down_1_rounded", "encoder_1_0_conv1_rounded"),
        *("decoder_0_0_conv1_rounded", "tail_rounded", "denoised_pixels"),
    }
    # Nothing is rounded twice.
    for name, rounder in rounders.items():
        steps = observe(rounder, rounded, NOISY)[0] / rounder.scale
        assert np.abs(steps - np.rint(steps)).max() > 0.1, name


def test_sums_and_what_they_are_of_have_one_scale(rounded: keras.Model):
    top = _rounders(rounded)["head_rounded"]
    names = ("head", "encoder_0_0_conv2", "encoder_0_0_add", "decoder_0_0_conv2", "skip_0")
    pixels = np.rint(255 * NOISY) / 255
    seen = observe(top, rounded, pixels)
    assert len(seen) == 7  # those, the last sum and what is moved up
    for values in _answers(rounded, *names):
        same = [each for each in seen if each.shape == values.shape]
        alike = [np.mean(np.abs(values - each) > 1e-3) for each in same]
        assert min(alike) < 0.01  # a few are rounded to the other side
    # So a sum is rounded already, unless it is cut off.
    steps = _answers(rounded, "skip_0")[0] / top.scale
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)


def test_values_behind_a_relu_use_all_of_the_scale(rounded: keras.Model):
    rounders = _rounders(rounded)
    assert rounders["encoder_0_0_conv1_rounded"].low == 0
    assert rounders["down_1_rounded"].low == -128


def test_scales_fit_what_is_seen(network: keras.Model, rounded: keras.Model):
    stream = _answers(network, "head", "encoder_0_0_add", "decoder_0_0_add")
    widest = max(np.abs(values).max() for values in stream) / 127
    scale = _rounders(rounded)["head_rounded"].scale
    assert 0.1 * widest < scale < 1.1 * widest


def test_a_network_of_other_layers_is_refused():
    with pytest.raises(RecipeError, match="integers are not known"):
        build_rounded("dncnn", make_config("dncnn", {"preset": "tiny"}))
    with pytest.raises(RecipeError, match=r"LambdaLayer .*integers are not known.*unet"):
        build_rounded("lambda_net", make_config("lambda_net", {"preset": "tiny"}))


def test_a_network_that_is_told_the_level_is_refused():
    with pytest.raises(RecipeError, match="told the noise level"):
        build_rounded("unet", Config(widths=(4, 8), blocks=(1, 1), noise_level=True))
