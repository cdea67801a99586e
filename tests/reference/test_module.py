"""What holds for every module: its gradients, by finite differences, and its refusals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.reference import (
    Convolution,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    TransposedConvolution,
    Windows,
    build_strided_autoencoder,
)

STEP = 1e-6


def make_modules() -> dict[str, Module]:
    """One of each kind, in float64, for images of 2 channels."""
    options = {"rng": np.random.default_rng(0), "dtype": np.float64}
    strided, padded = Windows((3, 3), (2, 2)), Windows((2, 3), (1, 2), 1)
    return {
        "convolution": Convolution(2, 3, strided, **options),
        "padded convolution": Convolution(2, 3, padded, **options),
        "transposed convolution": TransposedConvolution(2, 3, strided, **options),
        "padded transposed convolution": TransposedConvolution(
            2, 3, padded, output_padding=(0, 0), **options
        ),
        "relu": ReLU(),
        "sigmoid": Sigmoid(),
        "sequential": Sequential(
            [Convolution(2, 3, padded, **options), Sigmoid(), Convolution(3, 1, strided, **options)]
        ),
        "autoencoder": build_strided_autoencoder(2, (3, 4), dtype=np.float64),
    }


NAMES = list(make_modules())


def differentiate(function: Callable[[], float], array: np.ndarray) -> np.ndarray:
    """Central differences of a function by each number of an array that it depends on."""
    result = np.empty_like(array)
    for place in np.ndindex(array.shape):
        value = array[place]
        array[place] = value + STEP
        above = function()
        array[place] = value - STEP
        result[place] = (above - function()) / (2 * STEP)
        array[place] = value
    return result


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(name: str):
    module = make_modules()[name]
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(2, 4, 8, 2))
    weights = rng.normal(size=module.forward(inputs).shape)

    def loss() -> float:
        return float(np.sum(module.forward(inputs) * weights))

    module.forward(inputs)
    by_inputs = module.backward(weights)
    by_parameters = module.gradients
    np.testing.assert_allclose(by_inputs, differentiate(loss, inputs), atol=1e-7)
    for gradient, parameter in zip(by_parameters, module.parameters, strict=True):
        np.testing.assert_allclose(gradient, differentiate(loss, parameter), atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_a_backward_pass_replaces_the_gradients_of_the_one_before(name: str):
    module = make_modules()[name]
    outputs = module.forward(np.random.default_rng(1).normal(size=(2, 4, 8, 2)))
    first = module.backward(outputs)
    by_parameters = [gradient.copy() for gradient in module.gradients]
    np.testing.assert_array_equal(module.backward(outputs), first)
    for again, before in zip(module.gradients, by_parameters, strict=True):
        np.testing.assert_array_equal(again, before)


@pytest.mark.parametrize("name", NAMES)
def test_a_backward_pass_without_a_forward_pass_is_refused(name: str):
    module = make_modules()[name]
    assert module.gradients == []
    with pytest.raises(UsageError, match="call forward first"):
        module.backward(np.zeros((2, 4, 8, 2)))


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_of_another_shape_is_refused(name: str):
    module = make_modules()[name]
    outputs = module.forward(np.zeros((2, 4, 8, 2)))
    with pytest.raises(UsageError, match=r"shape.*outputs"):
        module.backward(np.moveaxis(outputs, 1, 2))
