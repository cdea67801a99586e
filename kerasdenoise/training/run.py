"""Follows a recipe from its last checkpoint to its end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from kerasdenoise.data.patches import PatchSampler
from kerasdenoise.data.sources import load_images
from kerasdenoise.errors import RecipeError
from kerasdenoise.runtime import keras_defaults
from kerasdenoise.training.build import averaged_weights, build_task
from kerasdenoise.training.checkpoint import restore_checkpoint, save_checkpoint
from kerasdenoise.training.dead_units import revive
from kerasdenoise.training.deadline import Deadline
from kerasdenoise.training.imitation import ImitationTask
from kerasdenoise.training.initial_weights import load_teacher, start_from_sources
from kerasdenoise.training.log import draw_curves, read_log, write_log
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.steps import make_steps
from kerasdenoise.training.validation import Validation

# Batches by which it is judged which units are dead.
_JUDGED = 8


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
    noisy: dict[str, float] = field(default_factory=dict)

    @property
    def seconds_left(self) -> float:
        """How long the rest will take at this pace."""
        return (self.steps - self.step) * self.seconds_per_step


@keras_defaults()
def train(
    recipe: Recipe,
    run: Path,
    root: Path,
    *,
    stop_at: int | None = None,
    seconds: float | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress | None:
    """Trains to the recipe's last step, writing a checkpoint after each interval.

    Args:
        recipe: What to do.
        run: Folder of the checkpoint, the log and the curves; a run found there goes on.
        root: Folder that the recipe's data folders are relative to.
        stop_at: A step to stop at before the end.
        seconds: How long this may take, the last checkpoint included; an interval that would
            take longer is cut short. At least one step is done.
        report: Called at each checkpoint.

    Returns:
        The last progress, or None if nothing was left to do.

    Raises:
        RecipeError: If the recipe or its data cannot be used, or the folder holds another run.
    """
    deadline = Deadline(seconds)
    keras.utils.set_random_seed(recipe.seed)
    task = build_task(recipe, load_teacher(recipe))
    run.mkdir(parents=True, exist_ok=True)
    step = restore_checkpoint(run, recipe, task, task.optimizer)
    last = min(recipe.optimization.steps, stop_at or recipe.optimization.steps)
    if step >= last:
        return None
    sampler = _sampler(recipe, root)
    if step == 0:
        if isinstance(task, ImitationTask):
            start_from_sources(task.imitated, recipe)
            task.start(sampler)
        else:
            start_from_sources(task.denoiser, recipe)
            if recipe.model.reinitialize_dead_units:
                revive(task.denoiser, [task(sampler.batch_of(i))["inputs"] for i in range(_JUDGED)])
    validation = Validation(recipe, root)
    noisy = validation.measure_noisy()
    batches = sampler.batches(step)
    train_on = make_steps(task)
    log = read_log(run, step)
    progress = None
    while step < last and not (progress and deadline.is_near()):
        started, first = time.monotonic(), step
        stop = min(step - step % recipe.validation.interval + recipe.validation.interval, last)
        done, loss = train_on(_until(deadline, batches, stop - step))
        step += done
        trained = time.monotonic()
        if not math.isfinite(loss):
            raise RecipeError(
                run,
                f"has no finite loss between steps {first} and {step}; step {first} is kept",
                "lower its learning_rate",
            )
        with averaged_weights(task):
            figures = validation.measure(task.denoiser)
            dead_units = validation.measure_dead_units(task.denoiser)
        took = time.monotonic() - started
        progress = Progress(
            step=step,
            steps=recipe.optimization.steps,
            loss=loss,
            psnr=figures,
            dead_units=dead_units,
            learning_rate=float(task.optimizer.learning_rate),
            seconds=took,
            seconds_per_step=took / done,
            noisy=noisy,
        )
        log.append(vars(progress))
        # The log first: if only one of the two is written, its last entry is dropped and
        # the interval is done again; the other order would lose the entry.
        write_log(run, log)
        save_checkpoint(run, recipe, step, task, task.optimizer)
        draw_curves(log, run / "curves.png")
        deadline.checkpoint_took(time.monotonic() - trained)
        report(progress)
    return progress


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
        channels=recipe.model.config.channels,
        scales=data.scales,
        smallest=side,
        exclude=data.exclude,
    )
    return PatchSampler(photos, side, data.batch_size, recipe.seed, turns=data.augment)
