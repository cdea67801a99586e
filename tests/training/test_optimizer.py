from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.training.optimizer import OPTIMIZERS, make_optimizer
from kerasdenoise.training.recipe import OptimizationSection


def _rates(plan: OptimizationSection, steps: list[int]) -> list[float]:
    schedule = make_optimizer(plan)._learning_rate  # Keras gives the present rate alone
    return [float(schedule(step)) for step in steps]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_keeps_averages(name: str):
    optimizer = make_optimizer(OptimizationSection(steps=10, optimizer=name, ema_momentum=0.9))
    assert isinstance(optimizer, OPTIMIZERS[name])
    assert optimizer.use_ema
    assert optimizer.ema_momentum == 0.9


def test_sgd_has_the_momentum_that_is_asked_for():
    optimizer: Any = make_optimizer(OptimizationSection(steps=10, optimizer="sgd", momentum=0.9))
    assert optimizer.momentum == 0.9


def test_no_average_keeps_the_latest_weights():
    optimizer = make_optimizer(OptimizationSection(steps=10, ema_momentum=0.0, warmup_steps=0))
    weight = keras.Variable([1.0, -1.0])
    optimizer.build([weight])
    for _ in range(3):
        optimizer.apply_gradients([(keras.ops.array([1.0, 2.0]), weight)])
    (average,) = [v for v in optimizer.variables if v.path.endswith("_average")]
    np.testing.assert_array_equal(average.numpy(), weight.numpy())
    assert not np.array_equal(weight.numpy(), [1.0, -1.0])


def test_an_exponential_rate_is_lowered_after_each_epoch():
    plan = OptimizationSection(
        steps=100, learning_rate=1e-3, schedule="exponential", decay_steps=10
    )
    expected = [1e-3, 1e-3, 0.99e-3, 0.99**5 * 1e-3]
    np.testing.assert_allclose(_rates(plan, [0, 9, 10, 59]), expected, rtol=1e-6)


def test_a_clip_of_zero_is_none():
    assert make_optimizer(OptimizationSection(steps=1, global_clipnorm=0)).global_clipnorm is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer": "adamw"}, "optimizer 'adamw': .*unknown; .*adam, adamax, muon"),
        ({"schedule": "cosine"}, "schedule 'cosine': .*unknown; .*warmup_stable_decay, exp"),
    ],
)
def test_what_is_unknown_is_refused(changes: dict[str, Any], said: str):
    with pytest.raises(RecipeError) as caught:
        make_optimizer(OptimizationSection(steps=10, **changes))
    assert re.search(said, str(caught.value))
