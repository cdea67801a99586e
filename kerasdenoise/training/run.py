"""Follows a recipe from its last checkpoint to its end."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from kerasdenoise.data.patches import PatchSampler
from kerasdenoise.data.sources import list_images, load_photos
from kerasdenoise.errors import RecipeError
from kerasdenoise.losses import get_loss
from kerasdenoise.models import get_architecture, make_config
from kerasdenoise.noise import Mixture, Noise, parse_noise
from kerasdenoise.training.checkpoint import (
    averaged_variables,
    read_run,
    restore_checkpoint,
    save_checkpoint,
)
from kerasdenoise.training.log import draw_curves, read_log, write_log
from kerasdenoise.training.objectives import check_objective, get_objective
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.schedule import WarmupStableDecay
from kerasdenoise.training.task import DenoisingTask
from kerasdenoise.training.validation import Validation


@dataclass(frozen=True)
class Progress:
    """Where a run stands at a checkpoint.

    Attributes:
        step: Steps done.
        steps: Steps in all.
        loss: Mean training loss since the last checkpoint.
        psnr: Validation PSNR in dB for each corruption, by the averaged weights.
        learning_rate: The rate of the last step.
        seconds: Time since the last checkpoint, measuring included.
        seconds_per_step: The same for one step.
    """

    step: int
    steps: int
    loss: float
    psnr: dict[str, float]
    learning_rate: float
    seconds: float
    seconds_per_step: float

    @property
    def seconds_left(self) -> float:
        """How long the rest will take at this pace."""
        return (self.steps - self.step) * self.seconds_per_step


def build_task(recipe: Recipe) -> DenoisingTask:
    """Builds what a recipe trains, compiled, with all its variables."""
    config = make_config(recipe.model.architecture, recipe.model.config)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.model.dtype)
    try:
        denoiser = get_architecture(recipe.model.architecture).build(config)
    finally:
        keras.config.set_dtype_policy(policy)
    noises = [parse_noise(section.kind) for section in recipe.noise]
    _check_sides(recipe, config.stride, noises)
    noise = Mixture(noises, [section.share for section in recipe.noise])
    plan = recipe.optimization
    check_objective(plan.objective, noise, plan.loss)
    task = DenoisingTask(
        denoiser,
        noise,
        get_objective(plan.objective),
        get_loss(plan.loss),
        recipe.data.patch,
        recipe.seed,
    )
    optimizer = keras.optimizers.Adam(
        WarmupStableDecay(plan.peak, plan.steps, plan.warmup, plan.decay),
        beta_2=plan.beta_2,
        global_clipnorm=plan.clip,
        use_ema=True,
        ema_momentum=plan.average,
    )
    # On the CPU, TensorFlow's own kernels train convolutions faster than XLA's.
    jit = keras.backend.backend() == "jax"
    task.compile(optimizer=optimizer, jit_compile=jit)
    side = recipe.data.patch + recipe.data.margin
    task(keras.ops.zeros((recipe.data.batch, side, side, config.channels)))
    optimizer.build(task.trainable_variables)
    return task


@contextlib.contextmanager
def averaged_weights(task: DenoisingTask) -> Iterator[None]:
    """Gives the denoiser the moving averages of its weights for a while."""
    weights = task.trainable_variables
    latest = [keras.ops.convert_to_numpy(weight) for weight in weights]
    for weight, average in zip(weights, averaged_variables(task.optimizer), strict=True):
        # A copy: JAX would share the average's memory and give it away in `predict`.
        weight.assign(keras.ops.convert_to_numpy(average))
    try:
        yield
    finally:
        for weight, value in zip(weights, latest, strict=True):
            weight.assign(value)


def train(
    recipe: Recipe,
    run: Path,
    root: Path,
    *,
    stop_at: int | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress | None:
    """Trains to the recipe's last step, writing a checkpoint after each interval.

    Args:
        recipe: What to do.
        run: Folder of the checkpoint, the log and the curves; a run found there goes on.
        root: Folder that the recipe's data folders are relative to.
        stop_at: A step to stop at before the end.
        report: Called at each checkpoint.

    Returns:
        The last progress, or None if nothing was left to do.

    Raises:
        RecipeError: If the recipe or its data cannot be used, or the folder holds another run.
    """
    keras.utils.set_random_seed(recipe.seed)
    task = build_task(recipe)
    run.mkdir(parents=True, exist_ok=True)
    step = restore_checkpoint(run, recipe, task, task.optimizer)
    last = min(recipe.optimization.steps, stop_at or recipe.optimization.steps)
    if step >= last:
        return None
    if step == 0 and recipe.model.start:
        _start_from(task.denoiser, Path(recipe.model.start))

    validation = Validation(recipe, root)
    batches = _sampler(recipe, root).batches(step)
    log = read_log(run, step)
    progress = None
    while step < last:
        started, first = time.monotonic(), step
        stop = min(step - step % recipe.report.interval + recipe.report.interval, last)
        losses = []
        while step < stop:
            losses.append(float(task.train_on_batch(next(batches))))
            step += 1
        if not math.isfinite(sum(losses)):
            raise RecipeError(
                run,
                f"has no finite loss between steps {first} and {step}; step {first} is kept",
                "lower the learning rate's peak",
            )
        with averaged_weights(task):
            figures = validation.measure(task.denoiser)
        seconds = time.monotonic() - started
        progress = Progress(
            step=step,
            steps=recipe.optimization.steps,
            loss=sum(losses) / len(losses),
            psnr=figures,
            learning_rate=float(task.optimizer.learning_rate),
            seconds=seconds,
            seconds_per_step=seconds / (step - first),
        )
        log.append(vars(progress))
        # The log first: if only one of the two is written, its last entry is dropped and
        # the interval is done again; the other order would lose the entry.
        write_log(run, log)
        save_checkpoint(run, recipe, step, task, task.optimizer)
        draw_curves(log, run / "curves.png")
        report(progress)
    return progress


def load_run(run: Path) -> tuple[Recipe, keras.Model]:
    """Returns a run's recipe as far as it was followed, and its network's averaged weights.

    Raises:
        RecipeError: If the folder holds no run that can be read.
    """
    recipe = read_run(run)
    task = build_task(recipe)
    step = restore_checkpoint(run, recipe, task, task.optimizer)
    for weight, average in zip(
        task.trainable_variables, averaged_variables(task.optimizer), strict=True
    ):
        weight.assign(keras.ops.convert_to_numpy(average))
    done = dataclasses.replace(recipe.optimization, steps=step)
    return dataclasses.replace(recipe, optimization=done), task.denoiser


def _start_from(denoiser: keras.Model, run: Path) -> None:
    _, source = load_run(run)
    try:
        denoiser.set_weights(source.get_weights())
    except ValueError as error:
        raise RecipeError(run, "is of another network", "start from one of the same") from error


def _check_sides(recipe: Recipe, stride: int, noises: Sequence[Noise]) -> None:
    """Refuses patches and crops that the network or the noise cannot take."""
    patch, crop = recipe.data.patch, recipe.report.crop
    drawn = patch + recipe.data.margin
    measured = [parse_noise(kind) for kind in recipe.report.noises]
    needs = [("patch", patch, stride), ("crop", crop, stride)]
    needs += [("patch and margin", drawn, noise.multiple) for noise in noises]
    needs += [("crop", crop, noise.multiple) for noise in measured]
    for name, side, multiple in needs:
        if side % multiple:
            raise RecipeError(
                f"{name} {side}",
                f"is no multiple of {multiple}, which the model or the noise needs",
                f"write {side + -side % multiple}",
            )


def _sampler(recipe: Recipe, root: Path) -> PatchSampler:
    data = recipe.data
    side = data.patch + data.margin
    files = list_images(root / folder for folder in data.train)
    files = [file for file in files if file.name not in data.exclude]
    photos = load_photos(files, data.scales, smallest=side)
    return PatchSampler(photos, side, data.batch, recipe.seed)
