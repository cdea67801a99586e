"""Training steps, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import keras
import numpy as np

from kerasdenoise.training.tasks import Task

# Steps that are given to a device before their results are waited for: enough to keep it busy,
# few enough for their batches to fit into its memory.
_AHEAD = 4

# Those of a callback's methods that are about single steps.
_ABOUT_STEPS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")

# Trains on batches (batch, height, width, channels); returns their number and the mean loss.
Steps = Callable[[Iterable[np.ndarray]], tuple[int, float]]


def make_steps(task: Task, callbacks: keras.callbacks.CallbackList | None = None) -> Steps:
    """Makes what trains on one batch after another, each once, without looking ahead.

    Under JAX all variables stay on the device from the first batch to the last, and the next
    steps are given to it while it computes; not so if a callback looks at each step. Why this is
    not Keras' `fit`: docs/decisions/019-own-loop.md.

    Args:
        task: What is trained.
        callbacks: Are told each step, with the mean loss of this interval so far; the last step of
            a call is one after which `task.stop_training` is true.
    """
    if callbacks and not any(map(_is_about_steps, callbacks.callbacks)):
        callbacks = None
    if keras.backend.backend() == "jax" and task.uses_gradients:
        return _make_device_steps(task, callbacks)

    def train(batches: Iterable[np.ndarray]) -> tuple[int, float]:
        losses = []
        for batch in batches:
            if callbacks:
                callbacks.on_train_batch_begin(len(losses))
            losses.append(float(task.train_on_batch(batch)))
            if callbacks:
                callbacks.on_train_batch_end(len(losses) - 1, {"loss": np.mean(losses)})
                if task.stop_training:
                    break
        return len(losses), sum(losses) / len(losses)

    return train


def _make_device_steps(task: Task, callbacks: keras.callbacks.CallbackList | None) -> Steps:
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

        def write_back() -> None:
            for group, values in zip(groups, state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)

        done = 0
        means = deque()
        for batch in batches:
            if callbacks:
                callbacks.on_train_batch_begin(done)
            logs, state = step(state, (jax.device_put(batch),))
            # Keras' logs are means since the metrics were reset.
            means.append(logs["loss"])
            done += 1
            if callbacks:
                write_back()
                callbacks.on_train_batch_end(done - 1, {"loss": float(logs["loss"])})
                if task.stop_training:
                    break
            if len(means) > _AHEAD:
                means.popleft().block_until_ready()
        write_back()
        return done, float(means[-1])

    return train


def _is_about_steps(callback: keras.callbacks.Callback) -> bool:
    # Not by its type: a LambdaCallback has methods of its own.
    return any(
        getattr(getattr(callback, name), "__func__", None)
        is not getattr(keras.callbacks.Callback, name)
        for name in _ABOUT_STEPS
    )
