from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasdenoise.errors import UsageError
from kerasdenoise.reference import Convolution, Module, TransposedConvolution, Windows

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
    extra = None if padding == "same" else (max(stride - kernel, 0),) * 2
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
    image = rng.normal(size=(2, *windows.image_size(*grid, extra), 2))
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
