from __future__ import annotations

import math

import numpy as np
import pytest

from kerasdenoise.evaluation.figures import (
    LOW_FREQUENCY,
    bootstrap,
    level_ratio,
    low_frequency_error,
    mean_with_error,
    psnr_of,
    summarize,
)

TRUTH = np.full((256, 256, 3), 0.5, np.float32)


def test_a_tint_is_low_frequency_and_white_noise_hardly_is():
    tint = np.array([2, 0, -2], np.float32) / 255
    assert low_frequency_error(TRUTH + tint, TRUTH) == pytest.approx(np.sqrt(8 / 3), rel=1e-3)
    noise = np.random.default_rng(0).normal(0, 25 / 255, TRUTH.shape)
    # Deviation of white noise under a Gaussian window.
    expected = 25 / (2 * math.sqrt(math.pi) * LOW_FREQUENCY)
    assert low_frequency_error(TRUTH + noise, TRUTH) == pytest.approx(expected, rel=0.25)


def test_a_level_is_compared_with_the_noise_itself():
    noise = np.random.default_rng(0).normal(0, 0.1, TRUTH.shape)
    for estimate in (0.05, np.full(TRUTH.shape[:2], 0.05, np.float32)):
        assert level_ratio(estimate, TRUTH + noise, TRUTH) == pytest.approx(0.5, rel=0.01)


def test_psnr_of_each_image():
    images = np.stack([TRUTH + np.float32(0.1), TRUTH + np.float32(0.01)])
    np.testing.assert_allclose(psnr_of(np.stack([TRUTH] * 2), images), [20, 40], rtol=1e-4)


def test_means_have_errors_where_they_can():
    assert mean_with_error([1.0, 3.0]) == (2.0, pytest.approx(1.0))
    assert mean_with_error([4.0]) == (4.0, pytest.approx(math.nan, nan_ok=True))
    assert mean_with_error([]) == pytest.approx((math.nan, math.nan), nan_ok=True)
    assert summarize({"psnr": np.array([1.0, 3.0]), "one": np.array([5.0])}) == {
        "psnr": 2.0,
        "psnr_error": pytest.approx(1.0),
        "one": 5.0,
    }


def test_an_interval_is_as_wide_as_chance_makes_the_mean():
    values = np.random.default_rng(1).normal(2, 1, 400)
    mean, low, high = bootstrap(values)
    assert mean == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)
    middle = bootstrap(np.stack([values, values]), lambda pairs: float(np.median(pairs)), times=100)
    assert middle[1] <= middle[0] <= middle[2]
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3)
