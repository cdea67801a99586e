"""Optimizers and learning rates, by the names that recipes use."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.training.muon import Muon
from kerasdenoise.training.recipe import OptimizationSection
from kerasdenoise.training.schedule import WarmupStableDecay

OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamax": keras.optimizers.Adamax,
    "muon": Muon,
    "sgd": keras.optimizers.SGD,
}
# So often an exponential schedule lowers the rate unless a recipe says otherwise, as in the
# LambdaNet paper's run.
_EPOCHS = 50
SCHEDULES = ("warmup_stable_decay", "exponential")


def make_optimizer(plan: OptimizationSection) -> keras.optimizers.Optimizer:
    """Makes the optimizer that a recipe names, with its learning rate and moving average.

    Raises:
        RecipeError: If there is none of that name, or no such schedule.
    """
    if plan.optimizer not in OPTIMIZERS:
        raise RecipeError(
            f"optimizer {plan.optimizer!r}", "is unknown", f"known: {', '.join(OPTIMIZERS)}"
        )
    # Weight decay is part of the loss here; Keras' Muon would decay by itself.
    own: dict[str, dict[str, Any]] = {
        "sgd": {"momentum": plan.momentum},
        "muon": {"weight_decay": None, "adam_weight_decay": None, "adam_beta_2": plan.beta_2},
    }
    return OPTIMIZERS[plan.optimizer](
        learning_rate=_make_schedule(plan),
        global_clipnorm=plan.global_clipnorm or None,
        use_ema=True,
        ema_momentum=plan.ema_momentum,
        **own.get(plan.optimizer, {"beta_2": plan.beta_2}),
    )


def _make_schedule(plan: OptimizationSection) -> keras.optimizers.schedules.LearningRateSchedule:
    if plan.schedule == "warmup_stable_decay":
        return WarmupStableDecay(
            plan.learning_rate, plan.steps, plan.warmup_steps, plan.decay_fraction
        )
    if plan.schedule == "exponential":
        epoch = plan.decay_steps or max(1, plan.steps // _EPOCHS)
        return keras.optimizers.schedules.ExponentialDecay(
            plan.learning_rate, epoch, plan.decay_rate, staircase=True
        )
    raise RecipeError(f"schedule {plan.schedule!r}", "is unknown", f"known: {', '.join(SCHEDULES)}")
