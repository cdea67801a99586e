"""How a network is trained: steps, learning rate, optimizer, loss."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.parsing import (
    BelowOne,
    Count,
    CountOrZero,
    Fraction,
    Positive,
    PositiveOrZero,
    make,
)


@keras.saving.register_keras_serializable("kerasdenoise")
class Muon(keras.optimizers.Muon):
    """Keras' Muon, which also takes the kernels of convolutions.

    Keras' own gives all but matrices to Adam. Here a kernel (height, width, in, out) is the
    matrix (height * width * in, out) that a convolution multiplies its patches with, as in the
    original (Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024).
    Vectors still go to Adam.
    """

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) not in (2, 4)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Returns the nearest matrix with equal singular values, in the shape of `x`."""
        matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
        return keras.ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x: Any) -> Any:
        """Scales the update to the size that Adam's would have."""
        matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
        return keras.ops.reshape(super().lr_adjust(matrix), x.shape)


# So often an exponential schedule lowers the rate unless a recipe says otherwise, as in the
# LambdaNet paper's run.
_EPOCHS = 50


@keras.saving.register_keras_serializable("kerasdenoise")
class WarmupStableDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly, stays, and falls to zero along a quarter of a cosine wave.

    Up to the start of the fall the rate does not depend on the length of the run, which can
    therefore still be changed then (Hu et al., "MiniCPM", COLM 2024, whose fall is
    exponential).

    Args:
        learning_rate: Highest rate.
        steps: Length of the run.
        warmup_steps: Steps of the rise.
        decay_fraction: Share of the steps over which it falls.
    """

    def __init__(
        self, learning_rate: float, steps: int, warmup_steps: int, decay_fraction: float
    ) -> None:
        self.learning_rate = learning_rate
        self.steps = steps
        self.warmup_steps = warmup_steps
        self.decay_fraction = decay_fraction

    def __call__(self, step: Any) -> Any:
        """Returns the rate of a step."""
        ops = keras.ops
        step = ops.cast(step, "float32")
        rise = ops.minimum((step + 1.0) / max(self.warmup_steps, 1), 1.0)
        fall_steps = max(self.decay_fraction * self.steps, 1.0)
        fallen = ops.clip((step - (self.steps - fall_steps)) / fall_steps, 0.0, 1.0)
        return self.learning_rate * rise * (1.0 - ops.sin(0.5 * 3.14159265 * fallen))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "learning_rate": self.learning_rate,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
            "decay_fraction": self.decay_fraction,
        }


@dataclass(frozen=True)
class WarmupStableDecaySettings:
    """What a recipe says of `WarmupStableDecay`.

    Attributes:
        warmup_steps: Steps in which the rate rises linearly from zero.
        decay_fraction: Share of the steps, at the end, in which the rate falls to zero.
    """

    warmup_steps: CountOrZero = 500
    decay_fraction: Fraction = 0.3

    def make(self, learning_rate: float, steps: int) -> WarmupStableDecay:
        """Makes the schedule of a run of so many steps."""
        return WarmupStableDecay(learning_rate, steps, self.warmup_steps, self.decay_fraction)

    def beginning(self, steps: int) -> WarmupStableDecaySettings:
        """Returns the same for all that differ in no more than when the rate falls."""
        return dataclasses.replace(self, decay_fraction=0.0)


@dataclass(frozen=True)
class ExponentialSettings:
    """A rate that is lowered at intervals, each time by the same factor.

    Attributes:
        decay_steps: Steps after which the rate is lowered, again and again; 0 for a fiftieth of
            all steps.
        decay_rate: Factor by which it is lowered.
    """

    decay_steps: CountOrZero = 0
    decay_rate: Positive = 0.99

    def make(
        self, learning_rate: float, steps: int
    ) -> keras.optimizers.schedules.LearningRateSchedule:
        """Makes the schedule of a run of so many steps."""
        return keras.optimizers.schedules.ExponentialDecay(
            learning_rate, self._interval(steps), self.decay_rate, staircase=True
        )

    def beginning(self, steps: int) -> ExponentialSettings:
        """Returns the same for all that lower the rate alike, however that is written."""
        return dataclasses.replace(self, decay_steps=self._interval(steps))

    def _interval(self, steps: int) -> int:
        return self.decay_steps or max(1, steps // _EPOCHS)


ScheduleSettings = WarmupStableDecaySettings | ExponentialSettings
SCHEDULES: dict[str, type[ScheduleSettings]] = {
    "warmup_stable_decay": WarmupStableDecaySettings,
    "exponential": ExponentialSettings,
}


@dataclass(frozen=True)
class AdamSettings:
    """Adam.

    Attributes:
        beta_2: Decay of the moving average of squared gradients.
    """

    beta_2: BelowOne = 0.99

    def make(self, **shared: Any) -> keras.optimizers.Optimizer:
        """Makes the optimizer; `shared` is what all optimizers take."""
        return keras.optimizers.Adam(beta_2=self.beta_2, **shared)


@dataclass(frozen=True)
class AdamaxSettings:
    """Adam by the infinity norm.

    Attributes:
        beta_2: Decay of the largest absolute gradient.
    """

    beta_2: BelowOne = 0.99

    def make(self, **shared: Any) -> keras.optimizers.Optimizer:
        """Makes the optimizer; `shared` is what all optimizers take."""
        return keras.optimizers.Adamax(beta_2=self.beta_2, **shared)


@dataclass(frozen=True)
class MuonSettings:
    """Muon, and Adam for what is no matrix.

    Attributes:
        beta_2: The same as with Adam, which updates everything but matrices and kernels.
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
        steps: Steps of the whole run.
        learning_rate: The highest learning rate.
        schedule: How the learning rate changes: `warmup_stable_decay` or `exponential`.
        optimizer: The optimizer: `adam`, `adamax`, `muon` or `sgd`.
        weight_decay: Factor of the weights that is added to their gradients, as in PyTorch's
            optimizers. The reported loss includes the penalty.
        ema_momentum: Decay of the moving average of the weights, which the finished network has;
            0 for the weights themselves.
        loss: The loss, such as `l1`, `l2`, `charbonnier` or `psnr`.
        objective: The training task, such as `supervised`, `noise2noise` or `exposures`.
        global_clipnorm: Norm of all gradients together to which larger ones are scaled down; 0 for
            no limit.
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
