from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.diffusion_step import BorderMix, DiffusionStep, IterationGates

SIZES = [(1, 1), (1, 5), (17, 23)]
FUNCTIONS = ["exponential", "rational"]


def _image(height: int = 17, width: int = 23, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((2, height, width, 3), np.float32)


def _contrast(value: float = 0.3) -> np.ndarray:
    return np.full((2, 1, 1, 1), value, np.float32)


def _run(step: DiffusionStep, u: np.ndarray, **tensors: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(step(u, **tensors))


def _g(square: float, contrast: float, function: str) -> float:
    ratio = square / contrast**2
    return np.exp(-ratio) if function == "exponential" else 1 / (1 + ratio)


def _loop(u: np.ndarray, contrast: float, function: str, argument: str, tau: float) -> np.ndarray:
    """The same step, pair by pair of neighbors."""
    _, height, width, channels = u.shape
    u = u.astype(np.float64)
    result = u.copy()
    for image, row, column in np.ndindex(u.shape[:3]):
        pixel = image, row, column
        neighbors = []
        if column + 1 < width:
            neighbors.append((image, row, column + 1))
        if row + 1 < height:
            neighbors.append((image, row + 1, column))
        norm = sum(((u[other] - u[pixel]) ** 2).sum() for other in neighbors)
        for other in neighbors:
            for channel in range(channels):
                difference = u[other][channel] - u[pixel][channel]
                square = norm if argument == "norm" else difference**2
                flow = tau * _g(square, contrast, function) * difference
                result[pixel][channel] += flow
                result[other][channel] -= flow
    return result


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("argument", ["directional", "norm"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_step_is_what_a_loop_over_pairs_of_pixels_gives(
    function: Any, argument: Any, size: tuple[int, int]
):
    u = _image(*size)
    expected = _loop(u, 0.3, function, argument, 0.15)
    step = DiffusionStep(function, 0.15, argument)
    np.testing.assert_allclose(_run(step, u, contrast=_contrast()), expected, atol=1e-6)


def test_a_coefficient_can_be_given_instead():
    u = _image()
    square = np.zeros((*u.shape[:3], 1), np.float32)
    square[:, :, :-1, 0] += (np.diff(u, axis=2) ** 2).sum(-1)
    square[:, :-1, :, 0] += (np.diff(u, axis=1) ** 2).sum(-1)
    given = _run(DiffusionStep(None), u, coefficient=np.exp(-square / 0.3**2))
    expected = _run(DiffusionStep("exponential", argument="norm"), u, contrast=_contrast())
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_each_pixel_can_have_a_contrast_of_its_own():
    u = _image()
    contrast = np.full((2, 17, 23, 1), 0.1, np.float32)
    contrast[:, :, 12:] = 0.5
    step = DiffusionStep()
    mixed = _run(step, u, contrast=contrast)
    # Column 12 is reached from column 11, whose contrast is the other.
    np.testing.assert_array_equal(
        mixed[:, :, :12], _run(step, u, contrast=_contrast(0.1))[:, :, :12]
    )
    np.testing.assert_array_equal(
        mixed[:, :, 13:], _run(step, u, contrast=_contrast(0.5))[:, :, 13:]
    )


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("contrast", [0.01, 0.3, 80.0])
def test_steps_keep_the_range_and_the_mean(function: Any, contrast: float):
    u = _image()
    step = DiffusionStep(function, tau=0.25)
    for _ in range(5):
        diffused = _run(step, u, contrast=_contrast(contrast))
        assert diffused.max() <= u.max() + 1e-6
        assert diffused.min() >= u.min() - 1e-6
        np.testing.assert_allclose(diffused.mean((1, 2)), u.mean((1, 2)), atol=1e-6)
        u = diffused


def test_a_checkerboard_stays_in_range_up_to_the_largest_step_alone():
    u = np.indices((8, 8)).sum(0).reshape(1, 8, 8, 1).astype(np.float32) % 2
    whole = np.ones((1, 8, 8, 1), np.float32)
    u_next = _run(DiffusionStep(None, tau=0.25), u, coefficient=whole)
    assert u_next.min() >= 0
    assert u_next.max() <= 1
    # A coefficient of 1.04 at 0.25 is a step of 0.26.
    u_next = _run(DiffusionStep(None, tau=0.25), u, coefficient=1.04 * whole)
    assert u_next.min() < 0
    assert u_next.max() > 1


def test_a_gate_takes_a_share_of_the_step():
    u = _image()
    step = DiffusionStep(reaction=0.2)
    tensors = {"contrast": _contrast(), "noisy": _image(seed=1)}
    change = _run(step, u, **tensors) - u
    for share in (0.0, 0.25, 1.0):
        gate = np.full((2, 1, 1, 1), share, np.float32)
        np.testing.assert_allclose(
            _run(step, u, gate=gate, **tensors) - u, share * change, atol=1e-7
        )


def test_a_reaction_pulls_to_the_noisy_image():
    u, noisy = _image(), _image(seed=1)
    plain = _run(DiffusionStep(), u, contrast=_contrast())
    step = DiffusionStep(reaction=0.2)
    pulled = _run(step, u, contrast=_contrast(), noisy=noisy)
    assert float(step.alpha) == pytest.approx(0.2, rel=1e-5)
    np.testing.assert_allclose(pulled, plain - 0.2 * 0.2 * (u - noisy), atol=1e-6)


@pytest.mark.parametrize("weight", [-50.0, 0.0, 50.0])
def test_whatever_is_trained_the_step_is_stable(weight: float):
    step = DiffusionStep(learn_tau=True, reaction=0.2)
    u, noisy = _image(), _image(seed=1)
    step(u, contrast=_contrast(), noisy=noisy)
    for values in ((weight, 50.0), (50.0, weight), (weight, -50.0)):
        for variable, value in zip(step.trainable_weights, values, strict=True):
            variable.assign(value)
        diffused = _run(step, u, contrast=_contrast(1.0), noisy=noisy)
        assert diffused.max() <= 1 + 1e-6
        assert diffused.min() >= -1e-6


def test_a_trained_step_starts_as_the_fixed_one():
    step = DiffusionStep(tau=0.12, learn_tau=True)
    expected = _run(DiffusionStep(tau=0.12), _image(), contrast=_contrast())
    np.testing.assert_allclose(_run(step, _image(), contrast=_contrast()), expected, atol=1e-6)
    assert len(step.trainable_weights) == 1


# From the slope of g(s) * s, which is at least -0.446 and -1/8; see the docstring.
@pytest.mark.parametrize(("function", "limit"), [("exponential", 219), ("rational", 6.2)])
def test_gradients_through_ten_steps_are_bounded(function: Any, limit: float):
    rng = np.random.default_rng(0)
    step, largest = DiffusionStep(function), 0.0
    for contrast in (0.2, 0.4, 0.6):
        u = tf.constant(rng.random((1, 6, 6, 1), np.float32))
        with tf.GradientTape() as tape:
            tape.watch(u)
            diffused = u
            for _ in range(10):
                diffused = step(diffused, contrast=_contrast(contrast)[:1])
        jacobian = tape.jacobian(diffused, u)
        assert jacobian is not None
        largest = max(largest, np.linalg.norm(np.reshape(jacobian, (36, 36)), 2))
    assert 1.05 < largest <= limit


def test_a_flat_image_has_gradients():
    u = tf.fill((1, 4, 4, 3), 0.5)
    for argument in ("directional", "norm"):
        with tf.GradientTape() as tape:
            tape.watch(u)
            loss = tf.reduce_sum(
                tf.square(DiffusionStep(argument=argument)(u, contrast=u[..., :1]))
            )
        np.testing.assert_allclose(tape.gradient(loss, u), 1.0, atol=1e-6)


def test_lower_precision_does_not_reach_the_diffusion():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        diffused = DiffusionStep()(_image(), contrast=_contrast())
    finally:
        keras.config.set_dtype_policy("float32")
    expected = _run(DiffusionStep(), _image(), contrast=_contrast())
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(diffused), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"function": "linear"},
        {"argument": "sum"},
        {"tau": 0.0},
        {"tau": 0.26},
        {"tau": float("nan")},
        {"tau": 0.25, "learn_tau": True},
        {"tau": 0.25, "reaction": 0.1},
        {"tau": 0.2, "reaction": 1.0},
        {"reaction": 0.0},
    ],
    ids=str,
)
def test_a_step_that_is_not_stable_or_known_is_refused(options: dict):
    with pytest.raises(ModelError):
        DiffusionStep(**options)


@pytest.mark.parametrize(
    ("options", "tensors"),
    [
        ({}, {}),
        ({"function": None}, {"contrast": _contrast()}),
        ({"reaction": 0.1}, {"contrast": _contrast()}),
    ],
)
def test_a_call_without_what_the_step_needs_is_refused(options: dict, tensors: dict):
    with pytest.raises(TypeError, match=r"give \w+=\.\.\."):
        DiffusionStep(**options)(_image(), **tensors)


def test_a_config_makes_an_equal_step():
    step = DiffusionStep("rational", 0.1, "norm", learn_tau=True, reaction=0.5, name="step")
    again = DiffusionStep.from_config(step.get_config())
    assert again.get_config() == step.get_config()
    tensors = {"contrast": _contrast(), "noisy": _image(seed=1)}
    np.testing.assert_array_equal(_run(again, _image(), **tensors), _run(step, _image(), **tensors))


def test_step_and_reaction_are_known_before_and_after_it_is_built():
    layer = DiffusionStep(learn_tau=True, tau=0.15, reaction=0.4)
    assert (layer.time_step, layer.alpha) == (0.15, 0.4)
    layer.build((None, None, None, 1))
    assert float(layer.time_step) == pytest.approx(0.15)
    assert float(layer.alpha) == pytest.approx(0.4)


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


def test_the_number_of_steps_is_the_formula_in_its_range_of_iteration_gates():
    layer = IterationGates(40, tau=0.2, epsilon=0.01)
    layer(_levels(0))
    for sigma in (0.05, 0.08, 0.12):
        expected = sigma**2 / (8 * math.pi * 0.01**2 * 0.2)
        assert 4 < expected < 36
        assert _numpy(layer.count(_levels(sigma))).item() == pytest.approx(expected, abs=0.05)
    assert 1 <= _numpy(layer.count(_levels(0))).item() < 1.4
    assert _numpy(layer.count(_levels(100))).item() == pytest.approx(40, abs=1e-3)


def test_that_many_linear_steps_leave_about_epsilon_of_iteration_gates():
    sigma, epsilon = 0.1, 0.02
    steps = round(sigma**2 / (8 * math.pi * epsilon**2 * 0.2))
    u = np.random.default_rng(0).normal(0, sigma, (1, 128, 128, 1)).astype(np.float32)
    for _ in range(steps):
        u = DiffusionStep(None)(u, coefficient=np.ones((1, 1, 1, 1), np.float32))
    assert _numpy(u).std() == pytest.approx(epsilon, rel=0.1)


def test_each_pixel_can_have_its_own_of_iteration_gates():
    level = np.random.default_rng(0).random((2, 3, 5, 1), np.float32) / 5
    layer = IterationGates(4)
    gates = _numpy(layer(level))
    assert gates.shape == (2, 3, 5, 4)
    alone = _numpy(layer(level[:, 1:2, 2:3]))
    np.testing.assert_allclose(gates[:, 1:2, 2:3], alone, atol=1e-6)


def test_epsilon_and_kappa_are_trained_of_iteration_gates():
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


def test_a_config_makes_an_equal_layer_of_iteration_gates():
    layer = IterationGates(7, 0.1, 0.02, 3.0, name="gates")
    again = IterationGates.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(_numpy(again(_levels(0.1))), _numpy(layer(_levels(0.1))))


BORDER = np.array([0, 0.3, 0.5, 0.7, 1], np.float32).reshape(1, 1, 5, 1)
AT_BORDER = np.full((1, 1, 1, 1), 0.1, np.float32)
ELSEWHERE = np.full((1, 1, 1, 1), 0.6, np.float32)


def _mix(layer: BorderMix, training: bool) -> np.ndarray:
    mixed = layer(BORDER, AT_BORDER, ELSEWHERE, training=training)
    return keras.ops.convert_to_numpy(mixed).ravel()


def test_border_mix_is_soft_in_training_and_hard_afterwards():
    soft = [0.6, 0.45, 0.35, 0.25, 0.1]
    np.testing.assert_allclose(_mix(BorderMix(), training=True), soft, atol=1e-6)
    hard = [0.6, 0.6, 0.6, 0.1, 0.1]
    np.testing.assert_allclose(_mix(BorderMix(), training=False), hard, atol=1e-6)


def test_border_mix_can_be_soft_always():
    layer = BorderMix(hard=False)
    np.testing.assert_array_equal(_mix(layer, training=False), _mix(layer, training=True))


def test_gradients_reach_the_values_and_not_the_border():
    tensors = [tf.constant(array) for array in (BORDER, AT_BORDER, ELSEWHERE)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        mixed = BorderMix()(*tensors, training=True)
    border, at_border, elsewhere = tape.gradient(mixed, tensors)
    assert border is None
    assert float(tf.squeeze(at_border)) == float(BORDER.sum())
    assert float(tf.squeeze(elsewhere)) == float((1 - BORDER).sum())
