from __future__ import annotations

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.diffusion_step import DiffusionStep
from kerasdenoise.layers.iteration_gates import IterationGates


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _levels(*levels: float) -> np.ndarray:
    return np.array(levels, np.float32).reshape(-1, 1, 1, 1)


def test_gates_open_with_the_noise_and_in_order():
    levels = _levels(0, 0.005, *np.linspace(0.01, 1, 100))
    gates = _numpy(IterationGates(10)(levels))[:, 0, 0]
    assert gates.shape == (102, 10)
    assert (np.diff(gates, axis=0) >= -1e-6).all()
    assert (np.diff(gates, axis=1) <= 0).all()
    assert (gates >= 0).all()
    assert (gates <= 1).all()
    # One step for a clean image, all for a very noisy one.
    assert gates[0].sum() == pytest.approx(1, abs=0.4)
    assert gates[-1].sum() == pytest.approx(10, abs=0.2)


def test_the_number_of_steps_is_the_formula_in_its_range():
    layer = IterationGates(40, tau=0.2, epsilon=0.01)
    layer(_levels(0))
    for sigma in (0.05, 0.08, 0.12):
        expected = sigma**2 / (8 * math.pi * 0.01**2 * 0.2)
        assert 4 < expected < 36
        assert _numpy(layer.count(_levels(sigma))).item() == pytest.approx(expected, abs=0.05)
    assert 1 <= _numpy(layer.count(_levels(0))).item() < 1.4
    assert _numpy(layer.count(_levels(100))).item() == pytest.approx(40, abs=1e-3)


def test_that_many_linear_steps_leave_about_epsilon():
    sigma, epsilon = 0.1, 0.02
    steps = round(sigma**2 / (8 * math.pi * epsilon**2 * 0.2))
    u = np.random.default_rng(0).normal(0, sigma, (1, 128, 128, 1)).astype(np.float32)
    for _ in range(steps):
        u = DiffusionStep(None)(u, coefficient=np.ones((1, 1, 1, 1), np.float32))
    assert _numpy(u).std() == pytest.approx(epsilon, rel=0.1)


def test_each_pixel_can_have_its_own():
    level = np.random.default_rng(0).random((2, 3, 5, 1), np.float32) / 5
    layer = IterationGates(4)
    gates = _numpy(layer(level))
    assert gates.shape == (2, 3, 5, 4)
    alone = _numpy(layer(level[:, 1:2, 2:3]))
    np.testing.assert_allclose(gates[:, 1:2, 2:3], alone, atol=1e-6)


def test_epsilon_and_kappa_are_trained():
    layer = IterationGates(10)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(_levels(0.07)))
    gradients = tape.gradient(total, [weight.value for weight in layer.trainable_weights])
    assert len(gradients) == 2
    assert all(abs(float(gradient)) > 1e-3 for gradient in gradients)


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"tau": 0.0}, {"epsilon": 0.0}, {"kappa": -1.0}], ids=str
)
def test_impossible_gates_are_refused(options: dict):
    with pytest.raises(ModelError):
        IterationGates(**{"steps": 10, **options})


def test_a_config_makes_an_equal_layer():
    layer = IterationGates(7, 0.1, 0.02, 3.0, name="gates")
    again = IterationGates.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(_numpy(again(_levels(0.1))), _numpy(layer(_levels(0.1))))
