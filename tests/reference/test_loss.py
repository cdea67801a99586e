from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasdenoise.errors import UsageError
from kerasdenoise.reference import mean_squared_error


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_and_gradient_are_those_of_keras(dtype: type):
    rng = np.random.default_rng(0)
    denoised, target = rng.random((2, 3, 5, 7, 2)).astype(dtype)
    tensor = tf.constant(denoised)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        expected = keras.ops.mean(keras.losses.mean_squared_error(target, tensor))
    loss, gradient = mean_squared_error(denoised, target)
    assert loss == pytest.approx(float(expected), rel=1e-5)
    assert gradient.dtype == dtype
    theirs = tape.gradient(expected, tensor).numpy()
    np.testing.assert_allclose(gradient, theirs, rtol=1e-5, atol=1e-9)


def test_a_small_step_against_the_gradient_lowers_the_loss_as_foreseen():
    rng = np.random.default_rng(0)
    denoised, target = rng.random((2, 3, 5, 7, 2))
    loss, gradient = mean_squared_error(denoised, target)
    lower, _ = mean_squared_error(denoised - 1e-6 * gradient, target)
    assert lower - loss == pytest.approx(-1e-6 * np.sum(gradient**2), rel=1e-4)


def test_by_hand():
    loss, gradient = mean_squared_error(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    assert loss == 2.5
    np.testing.assert_array_equal(gradient, [1, -2])


def test_shapes_that_differ_are_refused_rather_than_broadcast():
    with pytest.raises(UsageError, match=r"; .*target"):
        mean_squared_error(np.zeros((2, 4, 4, 3)), np.zeros((2, 4, 4, 1)))
