"""The learning rate over a run."""

from __future__ import annotations

from typing import Any

import keras


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
