from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.regressors import (
    ContrastRegressor,
    ImageRegressor,
    SharedValues,
    from_contrast,
    to_contrast,
)

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
    np.testing.assert_array_equal(
        numbers, np.broadcast_to(np.array(START, np.float32), (2, 1, 1, 2))
    )


def test_afterwards_they_depend_on_the_image():
    first, second = _numpy(_trained()(_image()))
    assert (first != second).all()


def test_they_are_the_same_by_way_of_the_statistic_of_image_regressor():
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


def test_a_model_may_compute_the_statistic_and_use_it_in_two_calls_of_image_regressor():
    noisy = keras.Input((None, None, 3), name="noisy")
    layer = _trained()
    network = keras.Model(noisy, layer(noisy, context=layer(noisy, summarize=True)[0]))
    np.testing.assert_allclose(_numpy(network(_image())), _numpy(layer(_image())), atol=1e-6)


def test_training_uses_the_statistics_of_the_batch_of_image_regressor():
    layer = _trained()
    assert np.any(_numpy(layer(_image(), training=True)) != _numpy(layer(_image(), training=False)))


def test_a_config_makes_an_equal_layer_of_image_regressor():
    layer = ImageRegressor(START, (4, 8), name="numbers")
    again = ImageRegressor.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again(_image())
    assert again.trainable_weights[0].shape == (3, 3, 3, 4)


def _image_of_contrast_regressor(channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).random((2, 9, 9, channels), np.float32)


@pytest.mark.parametrize("contrast", [1.01 / 255, 25 / 255, 1.0, 80.0])
def test_a_number_and_its_contrast(contrast: float):
    assert float(to_contrast(from_contrast(contrast))) == pytest.approx(contrast, rel=1e-5)


def test_contrasts_are_at_least_a_gray_level_and_finite():
    contrasts = _numpy(to_contrast(np.array([-1e9, -3, 0, 3, 1e9], np.float32)))
    assert contrasts[0] == np.float32(1 / 255)
    assert (np.diff(contrasts) > 0).all()
    assert np.isfinite(contrasts).all()


@pytest.mark.parametrize("contrast", [0.0, 1 / 255, 100.0, float("nan")])
def test_a_contrast_that_cannot_be_trained_is_refused(contrast: float):
    with pytest.raises(ModelError):
        from_contrast(contrast)
    with pytest.raises(ModelError):
        ContrastRegressor((contrast,))


def test_it_starts_at_the_given_contrasts():
    contrasts = _numpy(ContrastRegressor((10 / 255, 50 / 255))(_image_of_contrast_regressor()))
    expected = np.broadcast_to(np.array([10 / 255, 50 / 255], np.float32), (2, 1, 1, 2))
    np.testing.assert_allclose(contrasts, expected, rtol=1e-5)


@pytest.mark.parametrize(("channels", "weights"), [(1, 23_473), (3, 23_761)])
def test_the_trained_weights_are_as_many_as_counted_of_contrast_regressor(
    channels: int, weights: int
):
    layer = ContrastRegressor()
    layer(_image_of_contrast_regressor(channels))
    assert sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights) == weights


def test_the_contrast_is_the_same_by_way_of_the_statistic():
    layer = ContrastRegressor()
    layer(_image_of_contrast_regressor())
    layer.set_weights([weight + 0.05 for weight in layer.get_weights()])
    mean, _ = layer(_image_of_contrast_regressor(), summarize=True)
    contrast = _numpy(layer(_image_of_contrast_regressor()))
    np.testing.assert_array_equal(
        _numpy(layer(_image_of_contrast_regressor()[::-1], context=mean)), contrast
    )
    assert (contrast > 1.1 * 25 / 255).all()


def test_a_config_makes_an_equal_layer_of_contrast_regressor():
    layer = ContrastRegressor((10 / 255, 0.2), (4, 8), name="contrast")
    again = ContrastRegressor.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(
        _numpy(again(_image_of_contrast_regressor())), _numpy(layer(_image_of_contrast_regressor()))
    )


def test_the_contrasts_to_start_from_are_those_given():
    layer = ContrastRegressor(start=(0.1, 0.3))
    assert layer.start == (0.1, 0.3)
    assert layer.get_config()["start"] == (0.1, 0.3)


IMAGE = np.zeros((2, 3, 3, 1), np.float32)


@pytest.mark.parametrize("learned", [True, False])
def test_the_numbers_are_a_weight_that_can_be_assigned_of_shared_values(learned: bool):
    layer = SharedValues((0.5, -1.0), learned)
    assert keras.ops.convert_to_numpy(layer(IMAGE)).tolist() == [[[[0.5, -1.0]]]]
    assert len(layer.trainable_weights) == learned
    assert len(layer.weights) == 1
    layer.values.assign([2.0, 3.0])
    assert keras.ops.convert_to_numpy(layer(IMAGE)).tolist() == [[[[2.0, 3.0]]]]


def test_a_config_makes_an_equal_layer_of_shared_values():
    layer = SharedValues((0.5,), learned=False, name="contrast")
    again = SharedValues.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
