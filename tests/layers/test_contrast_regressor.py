from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.contrast_regressor import ContrastRegressor, from_contrast, to_contrast


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _image(channels: int = 3) -> np.ndarray:
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
    contrasts = _numpy(ContrastRegressor((10 / 255, 50 / 255))(_image()))
    expected = np.broadcast_to(np.float32([10 / 255, 50 / 255]), (2, 1, 1, 2))
    np.testing.assert_allclose(contrasts, expected, rtol=1e-5)


@pytest.mark.parametrize(("channels", "weights"), [(1, 23_473), (3, 23_761)])
def test_the_trained_weights_are_as_many_as_counted(channels: int, weights: int):
    layer = ContrastRegressor()
    layer(_image(channels))
    assert sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights) == weights


def test_the_contrast_is_the_same_by_way_of_the_statistic():
    layer = ContrastRegressor()
    layer(_image())
    layer.set_weights([weight + 0.05 for weight in layer.get_weights()])
    mean, _ = layer(_image(), summarize=True)
    contrast = _numpy(layer(_image()))
    np.testing.assert_array_equal(_numpy(layer(_image()[::-1], context=mean)), contrast)
    assert (contrast > 1.1 * 25 / 255).all()


def test_a_config_makes_an_equal_layer():
    layer = ContrastRegressor((10 / 255, 0.2), (4, 8), name="contrast")
    again = ContrastRegressor.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(_numpy(again(_image())), _numpy(layer(_image())))


def test_the_contrasts_to_start_from_are_those_given():
    layer = ContrastRegressor(start=(0.1, 0.3))
    assert layer.start == (0.1, 0.3)
    assert layer.get_config()["start"] == (0.1, 0.3)
