from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.reference import Convolution, ReLU, Sequential, Sigmoid, Windows


def make_network() -> Sequential:
    rng = np.random.default_rng(0)
    return Sequential(
        [
            Convolution(1, 2, Windows((3, 3)), rng=rng),
            ReLU(),
            Convolution(2, 1, Windows((1, 1)), rng=rng),
            Sigmoid(),
        ]
    )


def test_modules_are_applied_in_their_order_and_gone_back_in_reverse():
    network = make_network()
    first, relu, second, sigmoid = network.modules
    inputs = np.random.default_rng(1).normal(size=(1, 4, 4, 1))
    by_hand = sigmoid.forward(second.forward(relu.forward(first.forward(inputs))))
    np.testing.assert_array_equal(network.forward(inputs), by_hand)
    by_hand = first.backward(relu.backward(second.backward(sigmoid.backward(inputs))))
    np.testing.assert_array_equal(network.backward(inputs), by_hand)
    assert [g.shape for g in network.gradients] == [p.shape for p in network.parameters]


def test_parameters_are_copied_and_keep_their_type():
    network = make_network()
    values = [np.full(parameter.shape, 0.5) for parameter in network.parameters]
    network.set_parameters(values)
    for value in values:
        value[...] = 7
    for parameter in network.parameters:
        assert parameter.dtype == np.float32
        np.testing.assert_array_equal(parameter, 0.5)


@pytest.mark.parametrize("change", ["fewer", "more", "other shape"])
def test_parameters_of_another_network_are_refused_and_nothing_is_copied(change: str):
    network = make_network()
    before = [parameter.copy() for parameter in network.parameters]
    values = [np.zeros(parameter.shape) for parameter in network.parameters]
    if change == "fewer":
        values = values[:-1]
    elif change == "more":
        values.append(np.zeros(1))
    else:
        values[-1] = np.zeros((1, 1))
    with pytest.raises(ModelError, match="another network"):
        network.set_parameters(values)
    for parameter, value in zip(network.parameters, before, strict=True):
        np.testing.assert_array_equal(parameter, value)
