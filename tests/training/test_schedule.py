from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.training.schedule import WarmupStableDecay

PEAK = 2e-3


def _rates(steps: int, at: list[int], warmup: int = 10, decay: float = 0.4) -> np.ndarray:
    rate = WarmupStableDecay(PEAK, steps, warmup, decay)
    return np.array([float(rate(step)) for step in at])


def test_it_rises_linearly_from_above_zero():
    np.testing.assert_allclose(_rates(100, [0, 4, 9]), [PEAK / 10, PEAK / 2, PEAK], rtol=1e-6)


def test_it_stays_until_the_decay():
    np.testing.assert_allclose(_rates(100, [10, 35, 60]), PEAK, rtol=1e-6)


def test_it_falls_along_a_quarter_of_a_cosine_wave_to_zero():
    halfway = PEAK * (1 - np.sin(np.pi / 4))
    np.testing.assert_allclose(_rates(100, [80, 100, 130]), [halfway, 0, 0], atol=1e-9)


def test_it_never_rises_in_the_decay():
    falling = np.diff(_rates(100, list(range(60, 101))))
    assert (falling < 0).all()


def test_its_length_makes_no_difference_before_the_decay():
    before = list(range(61))
    np.testing.assert_array_equal(_rates(100, before), _rates(1000, before))


@pytest.mark.parametrize(("warmup", "decay"), [(0, 0.4), (10, 0.0)])
def test_either_part_may_be_left_out(warmup: int, decay: float):
    assert _rates(100, [20], warmup, decay) == pytest.approx(PEAK)
    assert np.isfinite(_rates(100, [0, 99, 100], warmup, decay)).all()


def test_it_survives_serialization():
    rate = WarmupStableDecay(PEAK, 100, 10, 0.4)
    schedules = keras.optimizers.schedules
    copy = schedules.deserialize(schedules.serialize(rate))
    assert isinstance(copy, WarmupStableDecay)
    assert copy.get_config() == rate.get_config()
