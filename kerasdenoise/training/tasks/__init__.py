"""Training tasks, one a file, by recipe. How to add one: docs/adding-a-training-task.md."""

from __future__ import annotations

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.noise import Mixture, Own
from kerasdenoise.runtime import free_memory, keras_defaults, memory_text
from kerasdenoise.training.optimization import make_optimizer
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.adversarial import Adversarial
from kerasdenoise.training.tasks.border import Border
from kerasdenoise.training.tasks.checkerboard import Checkerboard
from kerasdenoise.training.tasks.contrast_search import ContrastSearch
from kerasdenoise.training.tasks.detail import Detail
from kerasdenoise.training.tasks.diffusion import AdversarialDiffusion, Diffusion
from kerasdenoise.training.tasks.distillation import Distillation
from kerasdenoise.training.tasks.exposures import Exposures
from kerasdenoise.training.tasks.neighbor2neighbor import Neighbor2Neighbor
from kerasdenoise.training.tasks.noise2noise import Noise2Noise
from kerasdenoise.training.tasks.noise2vst import Noise2VST
from kerasdenoise.training.tasks.pairs import Pairs
from kerasdenoise.training.tasks.quantization_aware import QuantizationAware
from kerasdenoise.training.tasks.supervised import Supervised
from kerasdenoise.training.tasks.task import Task
from kerasdenoise.training.tasks.zero_shot import ZeroShot

# The first that a recipe means is its task: those that it asks for by other entries than
# `objective` come first.
TASKS: tuple[type[Task], ...] = (
    QuantizationAware,
    Distillation,
    Supervised,
    Exposures,
    Noise2Noise,
    Noise2VST,
    Neighbor2Neighbor,
    ZeroShot,
    Checkerboard,
    Pairs,
    Border,
    ContrastSearch,
    Adversarial,
    AdversarialDiffusion,
    Diffusion,
    Detail,
)


def find_task(recipe: Recipe) -> type[Task]:
    """Finds the task that a recipe asks for.

    Raises:
        RecipeError: If there is none.
    """
    for task in TASKS:
        if task.is_meant_by(recipe):
            return task
    known = dict.fromkeys(task.objective for task in TASKS)
    raise RecipeError(
        f"objective {recipe.optimization.objective!r}", "is unknown", f"known: {', '.join(known)}"
    )


@keras_defaults()
def build_task(recipe: Recipe) -> Task:
    """Builds what a recipe trains, compiled, with all its variables.

    Raises:
        RecipeError: If parts of the recipe do not fit each other.
        ModelError: If there is no such network.
    """
    config = recipe.model.config
    _check_sides(recipe, config.stride)
    _check_colors(recipe, config.channels)
    noise = recipe.mixture
    _check_shares(recipe, noise)
    kind = find_task(recipe)
    if recipe.discriminator and not kind.takes_discriminator:
        raise RecipeError(
            "[discriminator]",
            f"does not apply to objective {recipe.optimization.objective!r}",
            'leave it out, or write objective = "adversarial"',
        )
    _check_clean(kind, recipe)
    kind.check(recipe, noise)
    task = kind.make(recipe, noise)
    optimizer = make_optimizer(recipe.optimization)
    if recipe.model.dtype == "mixed_float16":
        # Keras does so by itself for a model of that precision; the task around it has float32.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale")
    # On the CPU, TensorFlow's own kernels train convolutions faster than XLA's.
    task.compile(optimizer=optimizer, jit_compile=keras.backend.backend() == "jax")
    data = recipe.data
    side = data.patch_size + data.margin
    channels = config.channels * kind.versions
    size = 4 * data.batch_size * side**2 * channels
    if size > (free := free_memory() or size):
        raise RecipeError(
            f"batch_size {data.batch_size} of patch_size {data.patch_size}",
            f"takes {memory_text(size)} of memory, more than the {memory_text(free)} that is free",
            "lower one of them",
        )
    task(keras.ops.zeros((data.batch_size, side, side, channels)))
    task.optimizer.build(task.trainable_variables)
    return task


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


def _check_clean(kind: type[Task], recipe: Recipe) -> None:
    """Refuses to learn from photos without clean ones where the task needs these."""
    noises = [*recipe.mixture.noises, *recipe.validation.noises]
    if kind.needs_clean and any(isinstance(noise, Own) for noise in noises):
        raise RecipeError(
            f"objective {recipe.optimization.objective!r}",
            "needs clean photos, and noise 'own' means that there are none",
            'write objective = "neighbor2neighbor", or another kind of noise',
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
