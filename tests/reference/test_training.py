from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.models import strided_autoencoder
from kerasdenoise.reference import SGD, build_strided_autoencoder, mean_squared_error


def make_patches(rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clean patches of four colors, and two noisy versions of each."""
    clean = rng.random((16, 2, 2, 3), np.float32).repeat(side // 2, 1).repeat(side // 2, 2)
    noise = 26.6 / 255 * rng.standard_normal((2, *clean.shape), np.float32)
    return clean, *(clean + noise)


def test_parameters_are_as_many_as_published():
    assert sum(parameter.size for parameter in build_strided_autoencoder().parameters) == 85_731


def test_parameters_start_where_those_of_the_keras_twin_do():
    twin = strided_autoencoder.build(strided_autoencoder.PRESETS["paper"]).get_weights()
    for ours, theirs in zip(build_strided_autoencoder().parameters, twin, strict=True):
        assert ours.shape == theirs.shape
        if ours.size > 1000:
            assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.01)
            assert ours.std() == pytest.approx(theirs.std(), rel=0.05)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_output_is_that_of_the_keras_twin(channels: int):
    twin = strided_autoencoder.build(strided_autoencoder.Config(channels=channels))
    network = build_strided_autoencoder(channels)
    network.set_parameters(twin.get_weights())
    noisy = np.random.default_rng(0).random((2, 32, 24, channels), np.float32)
    expected = keras.ops.convert_to_numpy(twin(noisy))
    assert expected.std() > 1e-3
    np.testing.assert_allclose(network.forward(noisy), expected, atol=1e-6)


def test_parameters_go_back_to_the_keras_twin():
    twin = strided_autoencoder.build(strided_autoencoder.PRESETS["paper"])
    network = build_strided_autoencoder(seed=3)
    twin.set_weights(network.parameters)
    noisy = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    expected = keras.ops.convert_to_numpy(twin(noisy))
    np.testing.assert_allclose(network.forward(noisy), expected, atol=1e-6)


def test_gradients_are_those_of_the_keras_twin():
    twin = strided_autoencoder.build(strided_autoencoder.PRESETS["paper"])
    network = build_strided_autoencoder()
    twin.set_weights(network.parameters)
    _, noisy, target = make_patches(np.random.default_rng(0), 16)
    _, gradient = mean_squared_error(network.forward(noisy), target)
    network.backward(gradient)
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(keras.ops.square(twin(noisy) - target))
    expected = tape.gradient(loss, [weight.value for weight in twin.trainable_weights])
    for ours, theirs in zip(network.gradients, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5 * np.abs(ours).max())


def test_training_is_that_of_the_keras_twin():
    twin = strided_autoencoder.build(strided_autoencoder.PRESETS["paper"])
    network = build_strided_autoencoder()
    twin.set_weights(network.parameters)
    twin.compile(keras.optimizers.SGD(2.0, 0.9), "mean_squared_error")
    optimizer = SGD(network.parameters, learning_rate=2.0, momentum=0.9)
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(80):
        _, noisy, target = make_patches(rng, 8)
        loss, gradient = mean_squared_error(network.forward(noisy), target)
        network.backward(gradient)
        optimizer.step(network.gradients)
        twin.reset_metrics()
        losses.append((loss, float(twin.train_on_batch(noisy, target))))
    ours, theirs = np.transpose(losses)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    for parameter, weight in zip(network.parameters, twin.get_weights(), strict=True):
        np.testing.assert_allclose(parameter, weight, atol=1e-4)
    assert ours[-5:].mean() < 0.25 * ours[:5].mean()


def test_the_published_padding_is_that_of_the_keras_twin_in_a_mirror():
    ours, theirs = (build_strided_autoencoder(padding=padding) for padding in ("same", 1))
    theirs.set_parameters([p[::-1, ::-1] if p.ndim == 4 else p for p in ours.parameters])
    noisy = np.random.default_rng(0).random((1, 16, 24, 3), np.float32)
    mirrored = theirs.forward(noisy[:, ::-1, ::-1])[:, ::-1, ::-1]
    np.testing.assert_allclose(mirrored, ours.forward(noisy), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_is_of_the_type_that_was_asked_for(dtype: type):
    network = build_strided_autoencoder(1, (2,), dtype=dtype)
    noisy = np.ones((1, 4, 4, 1), dtype)
    denoised = network.forward(noisy)
    _, gradient = mean_squared_error(denoised, noisy)
    arrays = [denoised, network.backward(gradient), *network.parameters, *network.gradients]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@pytest.mark.parametrize("values", [{"widths": ()}, {"widths": (8, 0)}, {"channels": 0}])
def test_an_impossible_shape_is_refused(values: dict):
    with pytest.raises(ModelError):
        build_strided_autoencoder(**values)


def test_numpy_is_all_that_is_imported():
    code = "import sys, kerasdenoise.reference; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"keras", "tensorflow", "jax", "torch"} & set(result.stdout.split())


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
