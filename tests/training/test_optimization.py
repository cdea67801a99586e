from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.training.optimization import (
    OPTIMIZERS,
    ExponentialSettings,
    Muon,
    OptimizationSection,
    SgdSettings,
    WarmupStableDecay,
    WarmupStableDecaySettings,
    make_optimization,
    make_optimizer,
)

_KERAS = {
    "adam": keras.optimizers.Adam,
    "adamax": keras.optimizers.Adamax,
    "muon": Muon,
    "sgd": keras.optimizers.SGD,
}


def _plan(**values: Any) -> OptimizationSection:
    return make_optimization({"steps": 10, **values}, "a.toml [optimization]")


def _rates(plan: OptimizationSection, steps: list[int]) -> list[float]:
    schedule = make_optimizer(plan)._learning_rate  # Keras gives the present rate alone
    return [float(schedule(step)) for step in steps]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_keeps_averages(name: str):
    optimizer = make_optimizer(_plan(optimizer=name, ema_momentum=0.9))
    assert isinstance(optimizer, _KERAS[name])
    assert optimizer.use_ema
    assert optimizer.ema_momentum == 0.9


def test_sgd_has_the_momentum_that_is_asked_for():
    optimizer: Any = make_optimizer(_plan(optimizer="sgd", momentum=0.9))
    assert optimizer.momentum == 0.9


def test_no_average_keeps_the_latest_weights():
    optimizer = make_optimizer(_plan(ema_momentum=0.0, warmup_steps=0))
    weight = keras.Variable([1.0, -1.0])
    optimizer.build([weight])
    for _ in range(3):
        optimizer.apply_gradients([(keras.ops.array([1.0, 2.0]), weight)])
    (average,) = [v for v in optimizer.variables if v.path.endswith("_average")]
    np.testing.assert_array_equal(average.numpy(), weight.numpy())
    assert not np.array_equal(weight.numpy(), [1.0, -1.0])


def test_an_exponential_rate_is_lowered_after_each_epoch():
    plan = _plan(steps=100, learning_rate=1e-3, schedule="exponential", decay_steps=10)
    expected = [1e-3, 1e-3, 0.99e-3, 0.99**5 * 1e-3]
    np.testing.assert_allclose(_rates(plan, [0, 9, 10, 59]), expected, rtol=1e-6)


def test_a_clip_of_zero_is_none():
    assert make_optimizer(_plan(global_clipnorm=0)).global_clipnorm is None


def test_what_is_named_gets_its_entries():
    plan = _plan(optimizer="sgd", momentum=0.9, schedule="exponential", decay_rate=0.5)
    assert plan.optimizer == SgdSettings(momentum=0.9)
    assert plan.schedule == ExponentialSettings(decay_rate=0.5)
    assert _plan(warmup_steps=7).schedule == WarmupStableDecaySettings(warmup_steps=7)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer": "adamw"}, "optimizer = 'adamw': .*unknown; .*adam, adamax, muon"),
        ({"optimizer": 3}, "optimizer = 3: .*unknown"),
        (
            {"schedule": "cosine"},
            "schedule = 'cosine': .*unknown; .*warmup_stable_decay, exp",
        ),
        ({"momentum": 0.9}, "momentum = 0.9: .*optimizer 'adam'"),
        ({"momentum": 0.9}, "or write optimizer = 'sgd'"),
        ({"optimizer": "sgd", "beta_2": 0.9}, "beta_2 = 0.9: .*optimizer 'sgd'"),
        ({"optimizer": "sgd", "beta_2": 0.9}, "optimizer = 'adam' or 'adamax' or 'muon'"),
        (
            {"schedule": "exponential", "warmup_steps": 5},
            "warmup_steps = 5: .*schedule 'exponential'",
        ),
        (
            {"schedule": "exponential", "decay_fraction": 0.5},
            "decay_fraction = 0.5: .*schedule 'exponential'",
        ),
        ({"decay_rate": 0.9}, "decay_rate = 0.9: .*schedule 'warmup_stable_decay'"),
        ({"decay_steps": 0}, "decay_steps = 0: .*apply"),
        ({"speed": 1}, "speed: .*unknown; .*steps, learning_rate, schedule, optimizer"),
        ({"optimizer": "sgd", "momentum": 1.0}, "momentum = 1.0: .*range; .*less than"),
        ({"optimizer": "sgd", "momentum": "x"}, "momentum = 'x': .*number"),
        ({"schedule": "exponential", "decay_steps": -1}, "decay_steps = -1: .*range"),
        ({"schedule": "exponential", "decay_rate": 0}, "decay_rate = 0: .*range"),
    ],
)
def test_what_does_not_apply_is_refused(changes: dict[str, Any], said: str):
    with pytest.raises(RecipeError) as caught:
        _plan(**changes)
    assert str(caught.value).startswith("a.toml [optimization] ")
    assert re.search(said, str(caught.value))


PEAK = 2e-3


def _rates_of_schedule(
    steps: int, at: list[int], warmup: int = 10, decay: float = 0.4
) -> np.ndarray:
    rate = WarmupStableDecay(PEAK, steps, warmup, decay)
    return np.array([float(rate(step)) for step in at])


def test_it_rises_linearly_from_above_zero():
    np.testing.assert_allclose(
        _rates_of_schedule(100, [0, 4, 9]), [PEAK / 10, PEAK / 2, PEAK], rtol=1e-6
    )


def test_it_stays_until_the_decay():
    np.testing.assert_allclose(_rates_of_schedule(100, [10, 35, 60]), PEAK, rtol=1e-6)


def test_it_falls_along_a_quarter_of_a_cosine_wave_to_zero():
    halfway = PEAK * (1 - np.sin(np.pi / 4))
    np.testing.assert_allclose(_rates_of_schedule(100, [80, 100, 130]), [halfway, 0, 0], atol=1e-9)


def test_it_never_rises_in_the_decay():
    falling = np.diff(_rates_of_schedule(100, list(range(60, 101))))
    assert (falling < 0).all()


def test_its_length_makes_no_difference_before_the_decay():
    before = list(range(61))
    np.testing.assert_array_equal(_rates_of_schedule(100, before), _rates_of_schedule(1000, before))


@pytest.mark.parametrize(("warmup", "decay"), [(0, 0.4), (10, 0.0)])
def test_either_part_may_be_left_out(warmup: int, decay: float):
    assert _rates_of_schedule(100, [20], warmup, decay) == pytest.approx(PEAK)
    assert np.isfinite(_rates_of_schedule(100, [0, 99, 100], warmup, decay)).all()


def test_it_survives_serialization():
    rate = WarmupStableDecay(PEAK, 100, 10, 0.4)
    schedules = keras.optimizers.schedules
    copy = schedules.deserialize(schedules.serialize(rate))
    assert isinstance(copy, WarmupStableDecay)
    assert copy.get_config() == rate.get_config()


def _step(shape: tuple[int, ...]) -> np.ndarray:
    """What one step of rate 1 changes in a weight of zeros, whose gradient is random."""
    weight = keras.Variable(np.zeros(shape, np.float32))
    optimizer = Muon(learning_rate=1.0, weight_decay=None, adam_weight_decay=None)
    optimizer.build([weight])
    gradient = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    optimizer.apply_gradients([(keras.ops.array(gradient), weight)])
    return keras.ops.convert_to_numpy(weight)


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (1, 1, 32, 4), (24, 8)])
def test_a_step_of_a_kernel_has_nearly_equal_singular_values(shape: tuple[int, ...]):
    change = _step(shape).reshape(-1, shape[-1])
    values = np.linalg.svd(change, compute_uv=False)
    assert values.max() / values.min() < 2
    # The size of Adam's steps: a root mean square of about 0.2 of the rate.
    assert np.sqrt(np.mean(np.square(change))) == pytest.approx(0.2, rel=0.3)


def test_a_vector_gets_a_step_of_adam():
    np.testing.assert_allclose(np.abs(_step((10,))), 1.0, rtol=1e-3)
