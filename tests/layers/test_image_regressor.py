from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.layers.image_regressor import ImageRegressor

START = (0.5, -2.0)


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _image(height: int = 16, width: int = 24) -> np.ndarray:
    return np.random.default_rng(0).random((2, height, width, 3), np.float32)


def _trained() -> ImageRegressor:
    keras.utils.set_random_seed(0)
    layer = ImageRegressor(START)
    layer(_image())
    rng = np.random.default_rng(1)
    layer.set_weights(
        [weight + rng.normal(0, 0.1, weight.shape) ** 2 for weight in layer.get_weights()]
    )
    return layer


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (17, 23)])
def test_every_image_has_the_same_numbers_at_first(size: tuple[int, int]):
    numbers = _numpy(ImageRegressor(START)(_image(*size)))
    np.testing.assert_array_equal(numbers, np.broadcast_to(np.float32(START), (2, 1, 1, 2)))


def test_afterwards_they_depend_on_the_image():
    first, second = _numpy(_trained()(_image()))
    assert (first != second).all()


def test_they_are_the_same_by_way_of_the_statistic():
    layer = _trained()
    mean, _ = layer(_image(), summarize=True)
    elsewhere = np.zeros((2, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(_numpy(layer(elsewhere, context=mean)), _numpy(layer(_image())))


def test_statistics_of_parts_weighted_by_their_positions_make_that_of_the_whole():
    # Parts that do not see each other: as batches of their own, of 2 and 6 positions.
    layer = _trained()
    parts = [layer(_image()[:, :, :width], summarize=True) for width in (8, 24)]
    weights = [_numpy(log_weight) for _, log_weight in parts]
    np.testing.assert_allclose(np.exp(weights[0]), np.full((2, 1), 2 * 1), rtol=1e-6)
    np.testing.assert_allclose(np.exp(weights[1]), np.full((2, 1), 2 * 3), rtol=1e-6)
    assert _numpy(parts[1][0]).shape == (2, 64)


def test_a_model_may_compute_the_statistic_and_use_it_in_two_calls():
    noisy = keras.Input((None, None, 3), name="noisy")
    layer = _trained()
    network = keras.Model(noisy, layer(noisy, context=layer(noisy, summarize=True)[0]))
    np.testing.assert_allclose(_numpy(network(_image())), _numpy(layer(_image())), atol=1e-6)


def test_training_uses_the_statistics_of_the_batch():
    layer = _trained()
    assert np.any(_numpy(layer(_image(), training=True)) != _numpy(layer(_image(), training=False)))


def test_a_config_makes_an_equal_layer():
    layer = ImageRegressor(START, (4, 8), name="numbers")
    again = ImageRegressor.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again(_image())
    assert again.trainable_weights[0].shape == (3, 3, 3, 4)
