from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.runtime import prepare_keras

prepare_keras()

import keras  # noqa: E402

from kerasdenoise.losses import LOSSES, MEAN_SEEKING, get_loss  # noqa: E402

TARGET = np.zeros((2, 2, 2, 1), np.float32)
DENOISED = np.array([[1, -1, 0, 2], [0.5, 0, 0, 0]], np.float32).reshape(TARGET.shape)


CHARBONNIER_AT_ZERO = 1e-3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("l1", [1.0, 0.125]),
        ("l2", [1.5, 0.0625]),
        ("psnr", [np.log10(1.5 + 1e-6) / 10, np.log10(0.0625 + 1e-6) / 10]),
        ("charbonnier", [1.0 + CHARBONNIER_AT_ZERO / 4, 0.125 + CHARBONNIER_AT_ZERO * 3 / 4]),
    ],
)
def test_there_is_one_number_per_image(name: str, expected: list[float]):
    np.testing.assert_allclose(get_loss(name)(TARGET, DENOISED), expected, rtol=1e-5)


@pytest.mark.parametrize(("name", "cost"), [("l1", 0), ("l2", 0), ("charbonnier", 1e-3)])
def test_equal_images_cost_least(name: str, cost: float):
    np.testing.assert_allclose(get_loss(name)(DENOISED, DENOISED), cost, rtol=1e-6)


def test_cross_entropy_is_of_each_value_on_its_own():
    target = np.array([0, 1, 0.25, 0.5], np.float32).reshape(1, 2, 2, 1)
    denoised = np.array([0.5, 0.8, 0.25, 0.1], np.float32).reshape(target.shape)
    entropy = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    expected = (np.log(2) - np.log(0.8) + entropy - 0.5 * np.log(0.1 * 0.9)) / 4
    np.testing.assert_allclose(get_loss("bce")(target, denoised), [expected], rtol=1e-5)


@pytest.mark.parametrize("value", [-0.5, 0.0, 1.0, 1.5])
def test_cross_entropy_is_finite_beyond_its_range(value: float):
    target = np.array([0, 1, 0.25, 0.5], np.float32).reshape(1, 2, 2, 1)
    cost = keras.ops.convert_to_numpy(get_loss("bce")(target, np.full_like(target, value)))
    assert 1 < cost[0] < 14


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_the_slopes(name: str):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    target, denoised, direction = (rng.uniform(0.1, 0.9, (1, 4, 5, 3)) for _ in range(3))
    loss = get_loss(name)
    with tf.GradientTape() as tape:
        tape.watch(variable := tf.constant(denoised))
        cost = loss(target, variable)
    slope = (tape.gradient(cost, variable).numpy() * direction).sum()  # pyright: ignore
    step = 1e-6
    costs = [float(loss(target, denoised + sign * step * direction)[0]) for sign in (1, -1)]
    assert slope == pytest.approx((costs[0] - costs[1]) / (2 * step), rel=1e-5)
    assert slope != 0


def test_charbonnier_has_a_gradient_of_zero_between_equal_images():
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(variable := tf.constant(DENOISED))
        cost = get_loss("charbonnier")(DENOISED, variable)
    np.testing.assert_array_equal(tape.gradient(cost, variable), 0)


# Balanced cross-entropy is for maps.
@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"balanced_bce"}))
def test_the_best_answer_to_many_targets_is_their_mean_or_their_median(name: str):
    targets = np.array([0.1, 0.2, 0.9], np.float32).reshape(1, 1, 3, 1)
    answers = np.linspace(0.05, 0.95, 181, dtype=np.float32)
    costs = get_loss(name)(targets, answers.reshape(-1, 1, 1, 1) + np.zeros_like(targets))
    best = 0.4 if name in MEAN_SEEKING else 0.2
    assert answers[np.argmin(keras.ops.convert_to_numpy(costs))] == pytest.approx(best, abs=0.006)


def test_an_unknown_loss_is_refused():
    with pytest.raises(
        RecipeError,
        match=r"^loss 'l3': .*unknown; .*l1, l2, charbonnier, psnr, bce, balanced_bce$",
    ):
        get_loss("l3")


def test_few_ones_count_as_much_as_many_zeros():
    target = np.zeros((2, 10, 10, 1), np.float32)
    target[0, 0, 0] = 1
    silent, loud = np.full_like(target, 0.1), np.full_like(target, 0.9)
    costs = [np.mean(get_loss("balanced_bce")(target, maps)) for maps in (silent, loud)]
    np.testing.assert_allclose(costs, (np.log(1 / 0.1) + np.log(1 / 0.9)) / 2, rtol=1e-4)


def test_a_batch_without_ones_has_half_the_cost():
    target, maps = np.zeros((2, 4, 4, 1), np.float32), np.full((2, 4, 4, 1), 0.5, np.float32)
    np.testing.assert_allclose(get_loss("balanced_bce")(target, maps), np.log(2) / 2, rtol=1e-5)
