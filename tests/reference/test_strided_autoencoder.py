from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasdenoise.errors import ModelError
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
