"""How a network is trained: steps, learning rate, optimizer, loss."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.parsing import BelowOne, Count, Positive, PositiveOrZero, make
from kerasdenoise.training.muon import Muon
from kerasdenoise.training.schedule import SCHEDULES, ScheduleSettings, WarmupStableDecaySettings


@dataclass(frozen=True)
class AdamSettings:
    """Adam.

    Attributes:
        beta_2: Decay of the second moments.
    """

    beta_2: BelowOne = 0.99

    def make(self, **shared: Any) -> keras.optimizers.Optimizer:
        """Makes the optimizer; `shared` is what all optimizers take."""
        return keras.optimizers.Adam(beta_2=self.beta_2, **shared)


@dataclass(frozen=True)
class AdamaxSettings:
    """Adam by the infinity norm.

    Attributes:
        beta_2: Decay of the infinity norms.
    """

    beta_2: BelowOne = 0.99

    def make(self, **shared: Any) -> keras.optimizers.Optimizer:
        """Makes the optimizer; `shared` is what all optimizers take."""
        return keras.optimizers.Adamax(beta_2=self.beta_2, **shared)


@dataclass(frozen=True)
class MuonSettings:
    """Muon, and Adam for what is no matrix.

    Attributes:
        beta_2: Decay of Adam's second moments.
    """

    beta_2: BelowOne = 0.99

    def make(self, **shared: Any) -> keras.optimizers.Optimizer:
        """Makes the optimizer; `shared` is what all optimizers take."""
        # Weight decay is part of the loss here; Keras' Muon would decay by itself.
        return Muon(adam_beta_2=self.beta_2, weight_decay=None, adam_weight_decay=None, **shared)


@dataclass(frozen=True)
class SgdSettings:
    """Stochastic gradient descent.

    Attributes:
        momentum: Share of the last step in the next one.
    """

    momentum: BelowOne = 0.0

    def make(self, **shared: Any) -> keras.optimizers.Optimizer:
        """Makes the optimizer; `shared` is what all optimizers take."""
        return keras.optimizers.SGD(momentum=self.momentum, **shared)


OptimizerSettings = AdamSettings | AdamaxSettings | MuonSettings | SgdSettings
OPTIMIZERS: dict[str, type[OptimizerSettings]] = {
    "adam": AdamSettings,
    "adamax": AdamaxSettings,
    "muon": MuonSettings,
    "sgd": SgdSettings,
}
# What has entries of its own in [optimization], beside it: its kinds, and the one it is by default.
UNIONS: dict[str, tuple[dict[str, Any], str]] = {
    "optimizer": (OPTIMIZERS, "adam"),
    "schedule": (SCHEDULES, "warmup_stable_decay"),
}


@dataclass(frozen=True)
class OptimizationSection:
    """How a network is trained.

    Attributes:
        steps: Length of the run.
        learning_rate: The highest one.
        schedule: How the rate goes. A recipe names it, `warmup_stable_decay` or `exponential`, and
            has its entries beside.
        optimizer: The same: `adam`, `adamax`, `muon` or `sgd`.
        weight_decay: Factor of the weights in their gradients, as in PyTorch's optimizers; the
            reported loss includes the penalty.
        ema_momentum: Decay of the moving average of the weights, which is what is kept; 0 for none.
        loss: Name of the loss.
        objective: Name of the training mode.
        global_clipnorm: Norm of all gradients above which they are scaled down; 0 for none.
    """

    steps: Count
    learning_rate: Positive = 1e-3
    schedule: ScheduleSettings = dataclasses.field(default_factory=WarmupStableDecaySettings)
    optimizer: OptimizerSettings = dataclasses.field(default_factory=AdamSettings)
    weight_decay: PositiveOrZero = 0.0
    ema_momentum: BelowOne = 0.999
    loss: str = "l1"
    objective: str = "supervised"
    global_clipnorm: PositiveOrZero = 1.0

    def beginning(self) -> OptimizationSection:
        """Returns the same for all that are alike until the rate begins to fall for the last time.

        Until then, how long the run will be makes no difference.
        """
        schedule = self.schedule.beginning(self.steps)
        return dataclasses.replace(self, steps=1, schedule=schedule)


def make_optimization(values: object, where: str) -> OptimizationSection:
    """Makes the section of a recipe from what TOML says.

    Args:
        values: The table.
        where: What errors call it.

    Raises:
        RecipeError: If it has an unknown or unusable entry, or one that does not apply to its
            optimizer or schedule.
    """
    if not isinstance(values, dict):
        return make(OptimizationSection, values, where)
    rest, made = dict(values), {}
    for field, (kinds, default) in UNIONS.items():
        name = rest.pop(field, default)
        if not isinstance(name, str) or name not in kinds:
            known = ", ".join(kinds)
            raise RecipeError(f"{where} {field} = {name!r}", "is unknown", f"known: {known}")
        own = entries_of(kinds[name])
        made[field] = make(kinds[name], {key: rest.pop(key) for key in own if key in rest}, where)
        for key in rest:
            others = [other for other, kind in kinds.items() if key in entries_of(kind)]
            if others:
                raise RecipeError(
                    f"{where} {key} = {rest[key]!r}",
                    f"does not apply to {field} {name!r}",
                    f"leave it out, or write {field} = {' or '.join(map(repr, others))}",
                )
    return dataclasses.replace(make(OptimizationSection, rest, where), **made)


def entries_of(kind: Any) -> tuple[str, ...]:
    """Returns the entries of a section, or of a kind of optimizer or schedule."""
    return tuple(field.name for field in dataclasses.fields(kind))


ENTRIES = tuple(
    dict.fromkeys(
        entry
        for kind in (OptimizationSection, *OPTIMIZERS.values(), *SCHEDULES.values())
        for entry in entries_of(kind)
    )
)
"""All entries of the section, of which some apply to one optimizer or schedule alone."""


def make_optimizer(plan: OptimizationSection) -> keras.optimizers.Optimizer:
    """Makes the optimizer, with its learning rate and moving average."""
    return plan.optimizer.make(
        name="optimizer",  # which stands in the names of its variables, and so in checkpoints
        learning_rate=plan.schedule.make(plan.learning_rate, plan.steps),
        global_clipnorm=plan.global_clipnorm or None,
        use_ema=True,
        ema_momentum=plan.ema_momentum,
    )
