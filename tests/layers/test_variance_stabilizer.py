from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.layers import VarianceStabilizer

LOW, HIGH, KNOTS = -0.1, 1.3, 57


def make(log_slopes: np.ndarray | None = None, start: float = LOW) -> VarianceStabilizer:
    curve = VarianceStabilizer(LOW, HIGH, KNOTS)
    curve.build((None, None))
    if log_slopes is not None:
        curve.set_weights([log_slopes.astype(np.float32), np.array([start], np.float32)])
    return curve


def call(curve: VarianceStabilizer, values: np.ndarray, mode: str = "forward") -> np.ndarray:
    return keras.ops.convert_to_numpy(curve(values.astype(np.float32), mode=mode))


@pytest.fixture
def bent() -> VarianceStabilizer:
    """A curve that is up to twenty times as steep at one end as at the other."""
    return make(np.linspace(1.5, -1.5, KNOTS - 1), start=0.4)


@pytest.mark.parametrize("mode", ["forward", "backward"])
def test_it_starts_as_the_identity(mode: str):
    values = np.linspace(-2, 3, 201)
    np.testing.assert_allclose(call(make(), values, mode), values, atol=1e-5)


def test_the_curve_is_linear_between_the_knots_and_beyond(bent: VarianceStabilizer):
    knots = np.linspace(LOW, HIGH, KNOTS)
    slopes = np.exp(np.linspace(1.5, -1.5, KNOTS - 1))
    levels = 0.4 + np.concatenate([[0], np.cumsum(slopes * np.diff(knots))])
    inside = np.linspace(LOW, HIGH, 1001)
    np.testing.assert_allclose(call(bent, inside), np.interp(inside, knots, levels), atol=1e-5)
    for end, level, slope in ((LOW, levels[0], slopes[0]), (HIGH, levels[-1], slopes[-1])):
        beyond = end + np.sign(end - 0.5) * np.array([0.0, 0.5, 2.0])
        expected = level + slope * (beyond - end)
        np.testing.assert_allclose(call(bent, beyond), expected, atol=1e-4)


def test_the_slope_is_that_of_the_curve(bent: VarianceStabilizer):
    values = np.linspace(LOW, HIGH, 333)[1:-1]
    rises = (call(bent, values + 1e-3) - call(bent, values - 1e-3)) / 2e-3
    step = (HIGH - LOW) / (KNOTS - 1)
    place = (values - LOW) / step % 1
    away = (place > 0.05) & (place < 0.95)  # from a knot
    slope = call(bent, values, "slope")
    np.testing.assert_allclose(slope[away], rises[away], rtol=0.01)


def test_the_way_back_is_the_inverse(bent: VarianceStabilizer):
    values = np.linspace(LOW - 0.5, HIGH + 0.5, 777)
    np.testing.assert_allclose(call(bent, call(bent, values), "backward"), values, atol=2e-3)


def test_it_can_hold_the_transform_of_anscombe():
    """The root of the value, of which the noise of photons has the same level everywhere."""
    photons = 20.0
    step = (HIGH - LOW) / (KNOTS - 1)
    middles = np.maximum(LOW + step * (np.arange(KNOTS - 1) + 0.5), 0.01)
    curve = make(np.log(0.5 / np.sqrt(middles)))
    means = np.linspace(0.2, 1.0, 5)[:, np.newaxis]
    noisy = np.random.default_rng(0).poisson(photons * means, (5, 20_000)) / photons
    levels = call(curve, noisy).std(axis=1)
    assert noisy.std(axis=1).max() > 2 * noisy.std(axis=1).min()
    assert levels.max() < 1.1 * levels.min()


@pytest.mark.parametrize(("low", "high", "knots"), [(0, 1, 1), (1, 1, 9), (2, 1, 9)])
def test_no_range_is_refused(low: float, high: float, knots: int):
    with pytest.raises(ModelError, match="range of pixel values"):
        VarianceStabilizer(low, high, knots)
