"""From a recipe to what is trained, and from a run to what was."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.losses import get_loss
from kerasdenoise.models import get_architecture, split_noise_level
from kerasdenoise.noise import Mixture
from kerasdenoise.runtime import keras_defaults
from kerasdenoise.training.checkpoint import averaged_variables, read_run, restore_checkpoint
from kerasdenoise.training.contrast_search import ContrastSearch
from kerasdenoise.training.distillation import DistillationTask
from kerasdenoise.training.guided import GuidedTask
from kerasdenoise.training.imitation import ImitationTask
from kerasdenoise.training.objectives import check_objective, get_objective
from kerasdenoise.training.optimization import make_optimizer
from kerasdenoise.training.recipe import ModelSection, Recipe
from kerasdenoise.training.task import DenoisingTask
from kerasdenoise.training.teacher import Teacher


def build_network(model: ModelSection) -> keras.Model:
    """Builds a network, its weights new, that computes in its own precision.

    Raises:
        ModelError: If there is no such network.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(model.dtype)
    try:
        return get_architecture(model.architecture).build(model.config)
    finally:
        keras.config.set_dtype_policy(policy)


@keras_defaults()
def build_task(
    recipe: Recipe, teacher: Teacher | None = None, *, dtype: str | None = None
) -> DenoisingTask:
    """Builds what a recipe trains, compiled, with all its variables.

    Args:
        recipe: What it is.
        teacher: What it learns from, if the recipe names such a network; nothing of it becomes
            part of the task, and without it the task has the same variables.
        dtype: The precision of the network, if not the recipe's; the variables are the same.

    Raises:
        RecipeError: If parts of the recipe do not fit each other.
        ModelError: If there is no such network.
    """
    config = recipe.model.config
    denoiser = build_network(dataclasses.replace(recipe.model, dtype=dtype or recipe.model.dtype))
    _check_sides(recipe, config.stride)
    _check_colors(recipe, config.channels)
    noise = recipe.mixture
    _check_shares(recipe, noise)
    plan = recipe.optimization
    check_objective(plan.objective, noise, plan.loss)
    kind = DenoisingTask
    if recipe.model.teacher:
        _check_taught(recipe)
    if recipe.model.quantization_aware:
        _check_integers(recipe)
        kind = ImitationTask
    elif split_noise_level(denoiser):
        _check_guided(plan.objective)
        kind = functools.partial(GuidedTask, teacher=teacher)
    elif teacher is not None:
        kind = functools.partial(DistillationTask, teacher=teacher)
    elif plan.objective == "mean_optimal":
        kind = ContrastSearch
    task = kind(
        denoiser,
        noise,
        get_objective(plan.objective),
        get_loss(plan.loss),
        recipe.data.patch_size,
        recipe.seed,
        plan.weight_decay,
    )
    # On the CPU, TensorFlow's own kernels train convolutions faster than XLA's.
    jit = keras.backend.backend() == "jax"
    optimizer = make_optimizer(plan)
    if recipe.model.dtype == "mixed_float16":
        # Keras does so by itself for a model of that precision; the task around it has float32.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    task.compile(optimizer=optimizer, jit_compile=jit)
    side = recipe.data.patch_size + recipe.data.margin
    task(keras.ops.zeros((recipe.data.batch_size, side, side, config.channels)))
    task.optimizer.build(task.trainable_variables)
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


@keras_defaults()
def load_run(run: Path) -> tuple[Recipe, keras.Model]:
    """Returns a run's recipe as far as it was followed, and its network's averaged weights.

    The network computes in float32, whatever it was trained in: its weights always are.

    Raises:
        RecipeError: If the folder holds no run that can be read.
    """
    recipe = read_run(run)
    task = build_task(recipe, dtype="float32")
    step = restore_checkpoint(run, recipe, task, task.optimizer)
    for weight, average in zip(
        task.trainable_variables, averaged_variables(task.optimizer), strict=True
    ):
        weight.assign(keras.ops.convert_to_numpy(average))
    done = dataclasses.replace(recipe.optimization, steps=step)
    return dataclasses.replace(recipe, optimization=done), task.denoiser


def _check_taught(recipe: Recipe) -> None:
    """Refuses what a teacher's results cannot be learned from."""
    plan = recipe.optimization
    does_not_fit = (
        (recipe.model.quantization_aware, "imitates what it starts from"),
        (plan.objective != "supervised", f"has the objective {plan.objective!r}"),
        (plan.loss != "psnr", f"has the loss {plan.loss!r}, where a teacher's is 'psnr'"),
    )
    for is_so, why in does_not_fit:
        if is_so:
            raise RecipeError(
                f"teacher {recipe.model.teacher!r}",
                f"cannot teach a network that {why}",
                "change one of both",
            )


def _check_guided(objective: str) -> None:
    """Refuses targets from which the level of the noise cannot be measured."""
    if objective not in ("supervised", "exposures"):
        raise RecipeError(
            f"objective {objective!r}",
            "has no clean target, from which the network learns to estimate the noise level",
            'write objective = "supervised", or estimates_level = false',
        )


def _check_integers(recipe: Recipe) -> None:
    """Refuses what has nothing to imitate in integers, or could not hold them."""
    if not recipe.model.initial_weights:
        raise RecipeError(
            "quantization_aware = true",
            "has no network in floats to imitate",
            'write [model] initial_weights = "RUN", with the run that trained it',
        )
    if recipe.model.dtype != "float32":
        raise RecipeError(
            f"dtype {recipe.model.dtype!r}",
            "rounds by itself, where integers have their own rounding",
            'write dtype = "float32", or quantization_aware = false',
        )
    if recipe.optimization.loss != "psnr":
        raise RecipeError(
            f"loss {recipe.optimization.loss!r}",
            "is not by what a network in integers is compared with the one in floats",
            'write loss = "psnr"',
        )


def _check_sides(recipe: Recipe, stride: int) -> None:
    """Refuses patches and crops that the network or the noise cannot take."""
    patch, crop = recipe.data.patch_size, recipe.validation.crop_size
    drawn = patch + recipe.data.margin
    needs = [("patch_size", patch, stride), ("crop_size", crop, stride)]
    needs += [("patch_size and margin", drawn, noise.multiple) for noise in recipe.mixture.noises]
    needs += [("crop_size", crop, noise.multiple) for noise in recipe.validation.noises]
    for name, side, multiple in needs:
        if side % multiple:
            raise RecipeError(
                f"{name} {side}",
                f"is no multiple of {multiple}, which the model or the noise needs",
                f"write {side + -side % multiple}",
            )


def _check_colors(recipe: Recipe, channels: int) -> None:
    """Refuses noises that have no meaning for the network's channels."""
    for noise in [*recipe.mixture.noises, *recipe.validation.noises]:
        if noise.color_only and channels != 3:
            raise RecipeError(
                f"noise {noise.text!r}",
                f"is of colors, of which a network of {channels} channel(s) has none",
                "give another noise, or a network of 3 channels",
            )


def _check_shares(recipe: Recipe, noise: Mixture) -> None:
    """Refuses shares of which no image of a batch is left."""
    for section, count in zip(recipe.noise, noise.counts(recipe.data.batch_size), strict=True):
        if not count:
            raise RecipeError(
                f"noise {section.kind.text!r}",
                f"is given to no image: its share of {recipe.data.batch_size} is too small",
                "write a larger batch_size or share",
            )
