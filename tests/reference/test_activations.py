from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf

from kerasdenoise.reference import ReLU, Sigmoid

VALUES = np.array([-1e4, -80.0, -3.0, -1e-3, -0.0, 0.0, 1e-3, 0.5, 3.0, 80.0, 1e4])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kind", "expected"), [(ReLU, tf.nn.relu), (Sigmoid, tf.math.sigmoid)])
def test_values_and_gradients_are_those_of_tensorflow(kind: type, expected, dtype: type):
    module, inputs = kind(), VALUES.astype(dtype).reshape(1, 1, -1, 1)
    gradient = np.linspace(-2, 3, inputs.size, dtype=dtype).reshape(inputs.shape)
    tensor = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        outputs = expected(tensor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        actual = module.forward(inputs), module.backward(gradient)
    theirs = outputs, tape.gradient(outputs, tensor, output_gradients=tf.constant(gradient))
    for ours, other in zip(actual, theirs, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, other.numpy(), rtol=1e-5, atol=1e-7)


def test_the_sigmoid_is_point_symmetric_and_steepest_in_the_middle():
    module, inputs = Sigmoid(), np.linspace(-9, 9, 19).reshape(1, 1, -1, 1)
    np.testing.assert_allclose(module.forward(inputs) + module.forward(-inputs), 1)
    slope = module.backward(np.ones_like(inputs)).ravel()
    assert slope.argmax() == 9
    assert slope.max() == 0.25
