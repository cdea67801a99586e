from __future__ import annotations

import warnings
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasdenoise.errors import ModelError, UsageError
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


# Even and odd kernels, larger and smaller than the stride.
CASES = [(kernel, stride) for kernel in (1, 2, 3, 4, 5) for stride in (1, 2, 3)]


def check_against_keras(module: Module, layer: keras.layers.Layer, inputs: np.ndarray) -> None:
    """Compares outputs and all gradients of a module with those of a layer."""
    layer.build(inputs.shape)
    layer.set_weights(module.parameters)
    outputs = module.forward(inputs)
    gradient = np.random.default_rng(1).normal(size=outputs.shape).astype(outputs.dtype)
    by_inputs = module.backward(gradient)
    tensor = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        expected = layer(tensor)
    assert outputs.shape == expected.shape
    weights = [weight.value for weight in layer.trainable_weights]
    gradients = tape.gradient(expected, [tensor, *weights], output_gradients=tf.constant(gradient))
    precision = 1e-5 if inputs.dtype == np.float32 else 1e-10
    actual = [outputs, by_inputs, *module.gradients]
    for ours, theirs in zip(actual, [expected, *gradients], strict=True):
        assert ours.dtype == inputs.dtype
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=precision, atol=precision)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kernel", "stride"), CASES)
def test_a_convolution_is_that_of_keras(kernel: int, stride: int, padding: str):
    windows = Windows((kernel, kernel), (stride, stride), "same" if padding == "same" else 0)
    module = Convolution(2, 3, windows, rng=np.random.default_rng(0), dtype=np.float64)
    layer = keras.layers.Conv2D(3, kernel, stride, padding, dtype="float64")
    check_against_keras(module, layer, np.random.default_rng(2).random((2, 7, 8, 2)))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kernel", "stride"), CASES)
def test_a_transposed_convolution_is_that_of_keras(kernel: int, stride: int, padding: str):
    windows = Windows((kernel, kernel), (stride, stride), "same" if padding == "same" else 0)
    # Keras' own choice without padding: no more rows than the kernel or the stride fills.
    extra = None if padding == "same" else (max(stride - kernel, 0), max(stride - kernel, 0))
    module = TransposedConvolution(
        2, 3, windows, output_padding=extra, rng=np.random.default_rng(0), dtype=np.float64
    )
    layer = keras.layers.Conv2DTranspose(3, kernel, stride, padding, dtype="float64")
    check_against_keras(module, layer, np.random.default_rng(2).random((2, 4, 5, 2)))


# For an even kernel Keras cannot name the largest size: it takes only numbers below the stride.
@pytest.mark.parametrize(
    ("kernel", "ours", "theirs"),
    [(3, 0, 0), (3, 1, 1), (3, 2, 2), (5, 0, 0), (5, 2, 2), (4, 0, 1), (4, 1, 2), (4, 2, None)],
)
def test_output_padding_is_that_of_keras_or_one_less_for_even_kernels(
    kernel: int, ours: int, theirs: int | None
):
    module = TransposedConvolution(
        2,
        3,
        Windows((kernel, kernel), (3, 3)),
        output_padding=(ours, ours),
        rng=np.random.default_rng(0),
        dtype=np.float64,
    )
    layer = keras.layers.Conv2DTranspose(
        3, kernel, 3, "same", output_padding=theirs, dtype="float64"
    )
    check_against_keras(module, layer, np.random.default_rng(2).random((2, 4, 5, 2)))


def test_single_precision_is_that_of_keras():
    rng, inputs = np.random.default_rng(0), np.random.default_rng(2).random((2, 8, 8, 4), "f4")
    windows = Windows((3, 3), (2, 2))
    check_against_keras(
        Convolution(4, 8, windows, rng=rng), keras.layers.Conv2D(8, 3, 2, "same"), inputs
    )
    check_against_keras(
        TransposedConvolution(4, 8, windows, rng=rng),
        keras.layers.Conv2DTranspose(8, 3, 2, "same"),
        inputs,
    )


@given(
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.sampled_from(["same", 0]),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    data=st.data(),
)
def test_the_transposed_convolution_is_the_adjoint(kernel, stride, padding, grid, data):
    windows = Windows(kernel, stride, padding)
    extra = tuple(data.draw(st.integers(0, most - 1)) for most in stride)
    rng = np.random.default_rng(0)
    shrink = Convolution(2, 3, windows, rng=rng, dtype=np.float64)
    enlarge = TransposedConvolution(3, 2, windows, output_padding=extra, rng=rng, dtype=np.float64)
    enlarge.kernel[...] = shrink.kernel
    shrink.bias[...] = enlarge.bias[...] = 0
    image = rng.normal(size=(2, *windows.image_size(grid[0], grid[1], extra), 2))
    codes = rng.normal(size=(2, *grid, 3))
    there = np.sum(shrink.forward(image) * codes)
    back = np.sum(image * enlarge.forward(codes))
    assert there == pytest.approx(back, rel=1e-12, abs=1e-12)
    # And so each one's backward pass is the other's forward pass.
    np.testing.assert_allclose(shrink.backward(codes), enlarge.forward(codes), atol=1e-12)
    np.testing.assert_allclose(enlarge.backward(image), shrink.forward(image), atol=1e-12)


def test_a_padding_of_one_is_that_of_keras_in_a_mirror():
    rng = np.random.default_rng(0)
    inputs = rng.random((1, 8, 6, 2))
    for kind in (Convolution, TransposedConvolution):
        ours, theirs = (
            kind(2, 3, Windows((3, 3), (2, 2), padding), rng=rng, dtype=np.float64)
            for padding in ("same", 1)
        )
        theirs.kernel[...] = ours.kernel[::-1, ::-1]
        theirs.bias[...] = ours.bias
        mirrored = theirs.forward(inputs[:, ::-1, ::-1])[:, ::-1, ::-1]
        np.testing.assert_allclose(mirrored, ours.forward(inputs), atol=1e-12)


@pytest.mark.parametrize("kind", [Convolution, TransposedConvolution])
@pytest.mark.parametrize("shape", [(1, 8, 8, 3), (8, 8, 2)])
def test_other_channels_and_dimensions_are_refused(kind: type, shape: tuple[int, ...]):
    module = kind(2, 3, Windows((3, 3)), rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match=r"batch.* 2 channels"):
        module.forward(np.zeros(shape))


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
    values: list[np.ndarray] = [np.zeros(each.shape) for each in network.parameters]
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
