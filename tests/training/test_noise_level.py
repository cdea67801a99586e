from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasdenoise.losses import get_loss
from kerasdenoise.models import get_parts
from kerasdenoise.models.unet import PRESETS, Config, build
from kerasdenoise.noise import Gaussian
from kerasdenoise.training.noise_level import FAINT, SHARE, measure_level
from kerasdenoise.training.tasks.supervised import Supervised

CLEAN = np.random.default_rng(0).random((8, 1, 1, 3), np.float32) * np.ones((1, 32, 32, 1), "f4")


def _task(denoiser: keras.Model | None = None, low: float = 0.02, high: float = 0.2) -> Supervised:
    keras.utils.set_random_seed(0)
    if denoiser is None:
        denoiser = build(Config(widths=(4, 8), blocks=(1, 1), estimates_level=True))
    task = Supervised(denoiser, Gaussian(low, high), get_loss("l1"), 32, 0)
    task.compile(optimizer=keras.optimizers.Adam(3e-3, clipnorm=1.0), jit_compile=False)
    return task


def _level_error(task: Supervised) -> float:
    """The mean relative error of the level, over some batches."""
    errors = []
    for _ in range(4):
        seen = task(CLEAN)
        level, estimated = (np.asarray(seen[key]) for key in ("level", "estimated"))
        errors.append(np.abs(estimated - level).mean() / level.mean())
    return float(np.mean(errors))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_level_of_known_noise_is_measured(channels: int):
    rng = np.random.default_rng(1)
    sigmas = np.array([0.0, 0.02, 0.2], np.float32).reshape(3, 1, 1, 1)
    clean = rng.random((3, 96, 64, channels), np.float32)
    noisy = clean + sigmas * rng.standard_normal(clean.shape, np.float32)
    level = np.asarray(measure_level(noisy, clean))
    assert level.shape == (3, 96, 64, 1)
    np.testing.assert_array_equal(level[0], 0)
    np.testing.assert_allclose(level, sigmas * np.ones_like(level), rtol=0.25)
    means = level.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, sigmas.ravel(), rtol=0.02, atol=1e-6)


def test_the_level_is_measured_where_the_noise_is():
    clean = np.zeros((1, 96, 96, 3), np.float32)
    noisy = clean.copy()
    noisy[0, 40:48, 56:64] = 0.3  # one cell
    level = np.asarray(measure_level(noisy, clean))[0, ..., 0]
    # It counts a ninth in each of nine cells.
    expected = np.zeros((96, 96), np.float32)
    expected[32:56, 48:72] = 0.1
    np.testing.assert_allclose(level, expected, atol=1e-6)


def test_most_patches_are_told_the_estimate_and_some_the_truth():
    denoiser = build(Config(1, (4, 8), (1, 1), estimates_level=True))
    task = _task(denoiser)
    seen = task(np.zeros((400, 32, 32, 1), np.float32))
    tile = get_parts(denoiser).tile
    np.testing.assert_allclose(seen["denoised"], tile(seen["told"]), atol=1e-6)
    guide, level, estimated = (
        np.asarray(each) for each in (seen["told"][1], seen["level"], seen["estimated"])
    )
    is_level, is_estimate = ((guide == each).all(axis=(1, 2, 3)) for each in (level, estimated))
    assert (is_level ^ is_estimate).all()
    assert 0.15 < is_level.mean() < 0.35


def test_the_loss_of_the_image_does_not_reach_the_estimator():
    task = _task()
    part = get_parts(task.denoiser).noise_level
    assert part is not None
    estimator = part.trainable_variables
    # As it starts, the network passes images unchanged, and its last layer alone has a gradient.
    for weight in task.denoiser.trainable_variables:
        weight.assign(np.random.default_rng(1).normal(0, 0.1, weight.shape))

    def gradients(key: str) -> list[Any]:
        with tf.GradientTape() as tape:
            seen = task(CLEAN, training=True)
            total = keras.ops.sum(keras.ops.square(seen[key]))
        return tape.gradient(total, [weight.value for weight in estimator])

    assert all(gradient is None for gradient in gradients("denoised"))
    assert all(np.any(gradient) for gradient in gradients("estimated"))


def test_the_error_of_the_level_counts_in_full():
    task = _task()
    seen = task(CLEAN)
    level, estimated = (np.asarray(seen[key]) for key in ("level", "estimated"))
    ratio = (level**2 + FAINT**2) / (estimated**2 + FAINT**2)
    error = SHARE * (ratio - np.log(ratio) - 1).mean()
    image = np.abs(np.asarray(seen["denoised"]) - np.asarray(seen["target"])).mean()
    assert float(task.compute_loss(None, None, seen)) == pytest.approx(image + error, rel=1e-5)


def test_a_short_training_finds_the_level():
    task = _task()
    before = _level_error(task)
    for _ in range(300):
        task.train_on_batch(CLEAN)
    after = _level_error(task)
    assert after < 0.25 < before


def test_a_network_that_estimates_nothing_is_called_alone():
    seen = _task(build(PRESETS["tiny"]))(CLEAN)
    assert set(seen) == {"noisy", "target", "inputs", "denoised"}
