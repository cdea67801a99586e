"""The learning rate over a run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import keras

from kerasdenoise.parsing import CountOrZero, Fraction, Positive

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
        warmup_steps: Steps of the rise.
        decay_fraction: Share of the steps, at the end, over which the rate falls to zero.
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
        decay_steps: Steps after which it is lowered; 0 for a fiftieth of all.
        decay_rate: What it is then multiplied by.
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
