"""Training steps, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import keras
import numpy as np

from kerasdenoise.training.contrast_search import ContrastSearch
from kerasdenoise.training.task import DenoisingTask

# Steps that are given to a device before their results are waited for: enough to keep it busy,
# few enough for their batches to fit into its memory.
_AHEAD = 4

# Trains on batches (batch, height, width, channels); returns their number and the mean loss.
Steps = Callable[[Iterable[np.ndarray]], tuple[int, float]]


def make_steps(task: DenoisingTask) -> Steps:
    """Makes what trains on one batch after another, each once, without looking ahead.

    Under JAX all variables stay on the device from the first batch to the last, and the next
    steps are given to it while it computes. Keras' `train_on_batch` waits for each step, and its
    `fit` would in the end replace the weights by their moving averages.
    """
    # A search does its steps by itself, not by a gradient.
    if keras.backend.backend() == "jax" and not isinstance(task, ContrastSearch):
        return _make_device_steps(task)

    def train(batches: Iterable[np.ndarray]) -> tuple[int, float]:
        losses = [float(task.train_on_batch(batch)) for batch in batches]
        return len(losses), sum(losses) / len(losses)

    return train


def _make_device_steps(task: DenoisingTask) -> Steps:
    import jax

    # The state's memory is given away, so that a step needs no second copy of it.
    step = jax.jit(task.train_step, donate_argnums=0)

    def train(batches: Iterable[np.ndarray]) -> tuple[int, float]:
        task.reset_metrics()
        groups = (
            task.trainable_variables,
            task.non_trainable_variables,
            task.optimizer.variables,
            task.metrics_variables,
        )
        state = tuple([variable.value for variable in group] for group in groups)
        done = 0
        means = deque()
        for batch in batches:
            logs, state = step(state, (jax.device_put(batch),))
            # Keras' logs are means since the metrics were reset.
            means.append(logs["loss"])
            done += 1
            if len(means) > _AHEAD:
                means.popleft().block_until_ready()
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return done, float(means[-1])

    return train
