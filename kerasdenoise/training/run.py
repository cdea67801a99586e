"""Follows a recipe from its last checkpoint to its end."""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from kerasdenoise.data.patches import PatchSampler
from kerasdenoise.data.sources import load_images
from kerasdenoise.errors import OutputError, RecipeError
from kerasdenoise.files import file_identity
from kerasdenoise.runtime import keras_defaults
from kerasdenoise.training.checkpoint import (
    copy_averages,
    draw_curves,
    read_log,
    restore_checkpoint,
    save_checkpoint,
    write_log,
)
from kerasdenoise.training.devices import Devices
from kerasdenoise.training.initial_weights import keep_initial_share
from kerasdenoise.training.network import is_run, save_network
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks import Task, build_task, find_task
from kerasdenoise.training.validation import Validation

# Steps that are given to a device before their results are waited for: enough to keep it busy,
# few enough for their batches to fit into its memory.
_AHEAD = 4

# Those of a callback's methods that are about single steps.
_ABOUT_STEPS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")

# Trains on batches (batch, height, width, channels); returns their number, and the means of the
# loss and of the task's figures, by names.
Steps = Callable[[Iterable[np.ndarray]], tuple[int, dict[str, float]]]


@dataclass(frozen=True)
class Progress:
    """Where a run stands at a checkpoint.

    Attributes:
        step: Steps done.
        steps: Steps in all.
        loss: Mean training loss since the last checkpoint.
        psnr: Validation PSNR in dB for each corruption, by the averaged weights.
        dead_units: Share of the units that answer to nothing any more; see `measure_dead_units`.
        learning_rate: The rate of the last step.
        seconds: Time since the last checkpoint, measuring included.
        seconds_per_step: The same for one step.
        figures: Means since the last checkpoint of what the task measures; see `Task.measure`.
        noisy: PSNR in dB of the noisy images, for each corruption; empty where the network is to
            find something else than the clean image.
    """

    step: int
    steps: int
    loss: float
    psnr: dict[str, float]
    dead_units: float
    learning_rate: float
    seconds: float
    seconds_per_step: float
    figures: dict[str, float] = field(default_factory=dict)
    noisy: dict[str, float] = field(default_factory=dict)

    @property
    def seconds_left(self) -> float:
        """How long the rest will take at this pace."""
        return (self.steps - self.step) * self.seconds_per_step

    def to_logs(self) -> dict[str, float]:
        """Returns the figures by the names that Keras gives to such; PSNR is also given as mean."""
        return {
            "loss": self.loss,
            "learning_rate": self.learning_rate,
            "dead_units": self.dead_units,
            "val_psnr": statistics.mean(self.psnr.values()),
            **self.figures,
            **{f"val_psnr_{kind}": psnr for kind, psnr in self.psnr.items()},
        }


class Deadline:
    """When to stop, so that the last checkpoint is still written in time.

    Args:
        seconds: How long everything may take from now on; None for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self._end = math.inf if seconds is None else time.monotonic() + seconds
        # Not known before the first one, which compiles: a quarter of all is kept for it.
        self._reserve = 0.0 if seconds is None else seconds / 4

    def is_near(self) -> bool:
        """Whether there is time for a checkpoint, and for nothing else."""
        return time.monotonic() + self._reserve >= self._end

    def checkpoint_took(self, seconds: float) -> None:
        """Keeps twice as long for the next checkpoint as the last one took."""
        self._reserve = 2 * seconds


@keras_defaults()
def train(
    recipe: Recipe,
    run: Path,
    root: Path,
    *,
    stop_at: int | None = None,
    seconds: float | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    devices: Devices | None = None,
) -> Progress | None:
    """Trains to the recipe's last step, writing network and checkpoint after each interval.

    Args:
        recipe: What to do.
        run: Folder of the checkpoint, the network (`model.keras`, with its averaged weights), the
            log and the curves; an existing run is resumed.
        root: Folder that the recipe's data folders are relative to.
        stop_at: A step to stop at before the end.
        seconds: How long this may take, the last checkpoint included; an interval that would
            take longer is cut short. At least one step is done.
        report: Called at each checkpoint.
        callbacks: Keras' callbacks, whose model is the `Task`, and whose epochs are the
            intervals. `on_epoch_end` comes after the checkpoint, and gets `Progress.to_logs`.
            `stop_training` ends the run in the same way as `stop_at`.
        devices: What shares each step; None for one device. Of several hosts, only the first
            writes and reports; they have no time limit and no callbacks.

    Returns:
        The last progress, or None if nothing was left to do.

    Raises:
        RecipeError: If the recipe or its data cannot be used, or the folder holds another run.
        OutputError: If the folder cannot be written to, or was replaced by another meanwhile.
        UsageError: If a host would do something else than the first one.
    """
    is_writer = devices is None or devices.is_writer
    deadline = Deadline(seconds)
    keras.utils.set_random_seed(recipe.seed)
    task = build_task(recipe)
    step = 0
    if is_writer:
        run.mkdir(parents=True, exist_ok=True)
        step = restore_checkpoint(run, recipe, task)
    place = file_identity(run)
    if devices:
        step = int(devices.agree(np.int32(step)))
    last = min(recipe.optimization.steps, stop_at or recipe.optimization.steps)
    # What is kept of the run, and measured: with averaged weights, and always in float32.
    network = task.make_denoiser(recipe, "float32")
    if step >= last:
        if is_writer and not is_run(run):  # the checkpoint alone was brought here
            _set_weights(network, task, recipe, step)
            save_network(run, recipe, step, network)
        return None
    sampler = _sampler(recipe, root)
    if devices:
        goals = (recipe.identity(), last, recipe.validation.interval)
        devices.check_alike({"recipe": repr(goals).encode(), "photos": sampler.fingerprint()})
    if step == 0:
        task.start(recipe, sampler)
    validation = Validation(recipe, root)
    noisy = validation.measure_noisy()
    part = devices.part if devices else slice(None)
    interval = recipe.validation.interval
    told = keras.callbacks.CallbackList(
        list(callbacks), model=task, epochs=-(-last // interval), steps=interval, verbose=0
    )
    train_on = make_steps(task, told, devices)
    log = read_log(run, step)
    progress = None
    told.on_train_begin()
    with contextlib.closing(sampler.batches(step, part)) as batches:
        while step < last and not (progress and (deadline.is_near() or task.stop_training)):
            started, first = time.monotonic(), step
            epoch = step // interval
            told.on_epoch_begin(epoch)
            most = min((epoch + 1) * interval, last) - step
            done, means = train_on(_until(deadline, batches, most))
            loss = means.pop("loss")
            step += done
            trained = time.monotonic()
            if not math.isfinite(loss):
                raise RecipeError(
                    run,
                    f"has no finite loss between steps {first} and {step}; step {first} is kept",
                    "lower its learning_rate",
                )
            _set_weights(network, task, recipe, step)
            psnr = validation.measure(network)
            dead_units = validation.measure_dead_units(network)
            took = time.monotonic() - started
            progress = Progress(
                step=step,
                steps=recipe.optimization.steps,
                loss=loss,
                psnr=psnr,
                dead_units=dead_units,
                learning_rate=float(task.optimizer.learning_rate),
                seconds=took,
                seconds_per_step=took / done,
                figures=means,
                noisy=noisy,
            )
            if not is_writer:
                continue
            log.append(vars(progress))
            # The checkpoint last: if only some are written, the interval is done again, and its
            # entry dropped; another order would lose the entry.
            if file_identity(run) != place:
                raise OutputError(
                    run,
                    "was replaced since the run began, and is left alone",
                    "move it away, put the run's folder back, and run the command again",
                )
            write_log(run, log)
            save_network(run, recipe, step, network)
            save_checkpoint(run, recipe, step, task)
            draw_curves(log, run / "curves.png")
            deadline.checkpoint_took(time.monotonic() - trained)
            report(progress)
            told.on_epoch_end(epoch, progress.to_logs())
    told.on_train_end(progress.to_logs() if progress else {})
    return progress


def _set_weights(network: keras.Model, task: Task, recipe: Recipe, step: int) -> None:
    """Gives a network the averaged weights of a task, as a finished run keeps them at its end."""
    copy_averages(task, network)
    if recipe.model.initial_share and step >= recipe.optimization.steps:
        keep_initial_share(network, recipe)


def _until(deadline: Deadline, batches: Iterator[np.ndarray], most: int) -> Iterator[np.ndarray]:
    """Yields at least one batch and at most so many, as long as there is time."""
    for _ in range(most):
        yield next(batches)
        if deadline.is_near():
            return


def _sampler(recipe: Recipe, root: Path) -> PatchSampler:
    data = recipe.data
    side = data.patch_size + data.margin
    photos = load_images(
        data.train,
        root,
        channels=recipe.model.config.channels * find_task(recipe).versions,
        scales=data.scales,
        smallest=side,
        exclude=data.exclude,
    )
    return PatchSampler(photos, side, data.batch_size, recipe.seed, turns=data.augment)


def make_steps(
    task: Task,
    callbacks: keras.callbacks.CallbackList | None = None,
    devices: Devices | None = None,
) -> Steps:
    """Makes what trains on one batch after another, each once, without looking ahead.

    Under JAX all variables stay on the device from the first batch to the last, and the next
    steps are given to it while it computes; not so if a callback looks at each step. Why this is
    not Keras' `fit`: docs/decisions/019-own-loop.md.

    Args:
        task: What is trained.
        callbacks: Are told each step, with the mean loss of this interval so far; the last step of
            a call is one after which `task.stop_training` is true.
        devices: What shares each step, under JAX; None for one device.
    """
    if callbacks and not any(map(_is_about_steps, callbacks.callbacks)):
        callbacks = None
    if keras.backend.backend() == "jax" and task.uses_gradients:
        return _make_device_steps(task, callbacks, devices)

    def train(batches: Iterable[np.ndarray]) -> tuple[int, dict[str, float]]:
        logs: list[dict[str, float]] = []
        for batch in batches:
            if callbacks:
                callbacks.on_train_batch_begin(len(logs))
            logs.append(task.train_on_batch(batch, return_dict=True))
            if callbacks:
                mean = np.mean([log["loss"] for log in logs])
                callbacks.on_train_batch_end(len(logs) - 1, {"loss": mean})
                if task.stop_training:
                    break
        return len(logs), {name: float(np.mean([log[name] for log in logs])) for name in logs[0]}

    return train


def _make_device_steps(
    task: Task, callbacks: keras.callbacks.CallbackList | None, devices: Devices | None
) -> Steps:
    import jax

    # The state's memory is given away, so that a step needs no second copy of it.
    step = jax.jit(task.train_step, donate_argnums=0, **(devices.layouts if devices else {}))
    place = devices.place_batch if devices else jax.device_put

    def train(batches: Iterable[np.ndarray]) -> tuple[int, dict[str, float]]:
        task.reset_metrics()
        groups = (
            task.trainable_variables,
            task.non_trainable_variables,
            task.optimizer.variables,
            task.metrics_variables,
        )
        state = tuple([variable.value for variable in group] for group in groups)
        if devices:
            state = devices.place_state(state)

        def write_back() -> None:
            for group, values in zip(groups, state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    # Between the calls variables are on one device, whatever shares the steps.
                    variable.assign(np.asarray(value) if devices else value)

        done = 0
        means = deque()
        for batch in batches:
            if callbacks:
                callbacks.on_train_batch_begin(done)
            logs, state = step(state, (place(batch),))
            # Keras' logs are means since the metrics were reset.
            means.append(logs)
            done += 1
            if callbacks:
                write_back()
                callbacks.on_train_batch_end(done - 1, {"loss": float(logs["loss"])})
                if task.stop_training:
                    break
            if len(means) > _AHEAD:
                jax.block_until_ready(means.popleft())
        write_back()
        return done, {name: float(mean) for name, mean in means[-1].items()}

    return train


def _is_about_steps(callback: keras.callbacks.Callback) -> bool:
    # Not by its type: a LambdaCallback has methods of its own.
    return any(
        getattr(getattr(callback, name), "__func__", None)
        is not getattr(keras.callbacks.Callback, name)
        for name in _ABOUT_STEPS
    )
