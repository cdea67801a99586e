from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.reference import SGD


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_parameters_go_where_keras_takes_them(momentum: float):
    rng = np.random.default_rng(0)
    parameters = [rng.normal(size=shape).astype(np.float32) for shape in [(3, 4), (4,)]]
    variables = [keras.Variable(parameter) for parameter in parameters]
    starts = [parameter.copy() for parameter in parameters]
    ours = SGD(parameters, learning_rate=0.3, momentum=momentum)
    theirs = keras.optimizers.SGD(0.3, momentum)
    for _ in range(20):
        gradients = [rng.normal(size=p.shape).astype(np.float32) for p in parameters]
        ours.step(gradients)
        theirs.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    for parameter, variable, start in zip(parameters, variables, starts, strict=True):
        np.testing.assert_allclose(parameter, variable.numpy(), rtol=1e-5, atol=1e-5)
        assert np.abs(parameter - start).min() > 1e-3


def test_a_parabola_is_descended_to_its_lowest_point():
    place = np.array([3.0, -4.0])
    optimizer = SGD([place], learning_rate=0.1, momentum=0.5)
    for _ in range(100):
        optimizer.step([2 * (place - 1)])
    np.testing.assert_allclose(place, 1, atol=1e-9)


def test_double_gradients_leave_parameters_single():
    parameter = np.ones(3, np.float32)
    SGD([parameter], learning_rate=0.5).step([np.ones(3)])
    assert parameter.dtype == np.float32
    np.testing.assert_array_equal(parameter, 0.5)


@pytest.mark.parametrize("gradients", [[], [np.ones(2)], [np.ones(2), np.ones((1, 3))]])
def test_gradients_of_something_else_are_refused_and_change_nothing(gradients: list[np.ndarray]):
    parameters = [np.ones(2), np.ones(3)]
    with pytest.raises(UsageError, match=r"; .*backward"):
        SGD(parameters).step(gradients)
    np.testing.assert_array_equal(np.concatenate(parameters), 1)


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": 0.0},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"momentum": -0.1},
        {"momentum": 1.0},
    ],
)
def test_numbers_out_of_range_are_refused(options: dict[str, float]):
    with pytest.raises(UsageError):
        SGD([np.ones(2)], **options)
