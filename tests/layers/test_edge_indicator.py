from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.edge_indicator import EdgeIndicator


def _indicate(layer: EdgeIndicator, image: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(image))


def _edge(channels: int = 3) -> np.ndarray:
    image = np.full((1, 12, 12, channels), 0.2, np.float32)
    image[:, :, 6:] = 0.9
    return image


def test_without_convolutions_it_is_the_norm_of_the_gradient():
    image = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)
    square = np.zeros((2, 9, 7))
    square[:, :, :-1] += (np.diff(image, axis=2) ** 2).sum(-1)
    square[:, :-1] += (np.diff(image, axis=1) ** 2).sum(-1)
    indicator = _indicate(EdgeIndicator(), image)
    np.testing.assert_allclose(indicator[..., 0], np.sqrt(square), atol=1.1e-3)


@pytest.mark.parametrize("convolutions", [0, 1, 2, 3])
def test_at_first_it_rises_with_the_edge_and_is_low_elsewhere(convolutions: int):
    keras.utils.set_random_seed(0)
    layer = EdgeIndicator(convolutions)
    strong = _indicate(layer, _edge())
    assert strong.shape == (1, 12, 12, 1)
    assert (strong >= 0).all()
    assert strong[0, 6, 5, 0] > 3 * strong[0, 6, 0, 0]
    assert _indicate(layer, 0.5 * _edge())[0, 6, 5, 0] < strong[0, 6, 5, 0]


@pytest.mark.parametrize("convolutions", [0, 1, 2, 3])
def test_brightness_does_not_count(convolutions: int):
    layer = EdgeIndicator(convolutions)
    image = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    np.testing.assert_allclose(_indicate(layer, image + 0.5), _indicate(layer, image), atol=1e-4)


@pytest.mark.parametrize("convolutions", [0, 2])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (17, 23)])
def test_any_size(convolutions: int, size: tuple[int, int]):
    image = np.random.default_rng(0).random((1, *size, 1), np.float32)
    assert _indicate(EdgeIndicator(convolutions), image).shape == (1, *size, 1)


def test_a_flat_image_has_a_gradient():
    image = tf.fill((1, 4, 4, 3), 0.5)
    with tf.GradientTape() as tape:
        tape.watch(image)
        total = tf.reduce_sum(EdgeIndicator()(image))
    assert np.isfinite(tape.gradient(total, image)).all()


def test_the_weights_are_as_many_as_counted():
    layer = EdgeIndicator(3, width=8)
    layer(_edge())
    # From 2 directions, 2 signs and 3 channels.
    expected = (9 * 12 * 8 + 8) + (9 * 8 * 8 + 8) + (9 * 8 + 1)
    assert layer.count_params() == expected


@pytest.mark.parametrize("options", [{"convolutions": -1}, {"width": 0}])
def test_an_impossible_indicator_is_refused(options: dict):
    with pytest.raises(ModelError):
        EdgeIndicator(**options)


def test_a_config_makes_an_equal_layer():
    layer = EdgeIndicator(2, width=5, name="indicator")
    assert EdgeIndicator.from_config(layer.get_config()).get_config() == layer.get_config()
