"""From a recipe to what is trained, and from a run to what was."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras

import kerasdenoise.layers  # noqa: F401 (registers the layers that saved models name)
from kerasdenoise.errors import ModelError, RecipeError
from kerasdenoise.losses import get_loss
from kerasdenoise.models import get_architecture, make_config, split_noise_level
from kerasdenoise.noise import Mixture, Noise, parse_noise
from kerasdenoise.training.checkpoint import (
    averaged_variables,
    is_run,
    read_run,
    restore_checkpoint,
)
from kerasdenoise.training.contrast_search import ContrastSearch
from kerasdenoise.training.guided import GuidedTask
from kerasdenoise.training.imitation import ImitationTask
from kerasdenoise.training.objectives import check_objective, get_objective
from kerasdenoise.training.optimizer import make_optimizer
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.task import DenoisingTask
from kerasdenoise.zoo import find_model, verify_model


def build_task(recipe: Recipe) -> DenoisingTask:
    """Builds what a recipe trains, compiled, with all its variables.

    Raises:
        RecipeError: If parts of the recipe do not fit each other.
        ModelError: If there is no such network.
    """
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
    kind = DenoisingTask
    if recipe.model.integers:
        _check_integers(recipe)
        kind = ImitationTask
    elif split_noise_level(denoiser):
        _check_guided(plan.objective)
        kind = GuidedTask
    elif plan.objective == "mean_optimal":
        kind = ContrastSearch
    task = kind(
        denoiser,
        noise,
        get_objective(plan.objective),
        get_loss(plan.loss),
        recipe.data.patch,
        recipe.seed,
        plan.weight_decay,
    )
    # On the CPU, TensorFlow's own kernels train convolutions faster than XLA's.
    jit = keras.backend.backend() == "jax"
    task.compile(optimizer=make_optimizer(plan), jit_compile=jit)
    side = recipe.data.patch + recipe.data.margin
    task(keras.ops.zeros((recipe.data.batch, side, side, config.channels)))
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


def load_run(run: Path) -> tuple[Recipe, keras.Model]:
    """Returns a run's recipe as far as it was followed, and its network's averaged weights.

    The network computes in float32, whatever it was trained in: its weights always are.

    Raises:
        RecipeError: If the folder holds no run that can be read.
    """
    recipe = read_run(run)
    exact = dataclasses.replace(recipe.model, dtype="float32")
    task = build_task(dataclasses.replace(recipe, model=exact))
    step = restore_checkpoint(run, recipe, task, task.optimizer)
    for weight, average in zip(
        task.trainable_variables, averaged_variables(task.optimizer), strict=True
    ):
        weight.assign(keras.ops.convert_to_numpy(average))
    done = dataclasses.replace(recipe.optimization, steps=step)
    return dataclasses.replace(recipe, optimization=done), task.denoiser


def read_history(recipe: Recipe) -> list[str]:
    """Returns the texts of the recipes of all that one started from, the last first."""
    history: list[str] = []
    for source in filter(None, (recipe.model.start, *recipe.model.parts.values())):
        if is_run(Path(source)):
            earlier = read_run(Path(source))
            history += [earlier.source, *read_history(earlier)]
        else:
            # The runs that a saved model was made by need not be there any more.
            folder = find_model(source).folder
            files = [folder / "recipe.toml", *sorted(folder.glob("recipe_earlier_*.toml"))]
            history += [file.read_text("utf-8") for file in files]
    return history


def load_source(source: str) -> keras.Model:
    """Loads what a recipe starts from: the network of a training run, or a saved model.

    Args:
        source: The folder of a run, or the name or folder of a saved model.

    Raises:
        RecipeError: If it is a run that cannot be read.
        ModelError: If it is neither, or a model that is damaged, or that would need code of its
            own to be run, which is never done.
    """
    if is_run(Path(source)):
        return load_run(Path(source))[1]
    info = find_model(source)
    verify_model(info, only=["model.keras"])
    path = info.folder / "model.keras"
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError) as error:  # by which Keras refuses
        raise ModelError(
            path,
            "is not loaded: it is damaged, or holds code of its own or layers that are not known",
            "use a model that is made of the layers of Keras and kerasdenoise alone",
        ) from error


def start_from_sources(denoiser: keras.Model, recipe: Recipe) -> None:
    """Gives a network, or parts of it, the weights that its recipe says it starts from.

    Raises:
        RecipeError: If they are of another network, or there is no such part.
    """
    targets = {"": (denoiser, recipe.model.start)} if recipe.model.start else {}
    if not recipe.model.start:
        _check_frozen(denoiser, recipe.model.parts)
    for part, source in recipe.model.parts.items():
        parts = [layer for layer in denoiser.layers if layer.name == part]
        if not parts or not isinstance(parts[0], keras.Model):
            known = [layer.name for layer in denoiser.layers if isinstance(layer, keras.Model)]
            raise RecipeError(
                f"part {part!r}",
                f"is no network within {denoiser.name}",
                f"known: {', '.join(known) or 'none'}",
            )
        targets[part] = (parts[0], source)
    for network, source in targets.values():
        try:
            network.set_weights(load_source(source).get_weights())
        except ValueError as error:
            raise RecipeError(
                source, f"is another network than {network.name}", "start from one of the same"
            ) from error


def _check_frozen(denoiser: keras.Model, parts: dict[str, str]) -> None:
    """Refuses to train around a network that is not trained and has random weights."""
    for layer in denoiser.layers:
        if isinstance(layer, keras.Model) and not layer.trainable and layer.name not in parts:
            raise RecipeError(
                f"part {layer.name!r}",
                f"of {denoiser.name} is not trained with it, and has no weights",
                f'write [model] parts = {{ {layer.name} = "RUN" }}, with the run that trained it',
            )


def _check_guided(objective: str) -> None:
    """Refuses targets from which the level of the noise cannot be measured."""
    if objective != "supervised":
        raise RecipeError(
            f"objective {objective!r}",
            "has no clean target, from which the network learns to estimate the noise level",
            'write objective = "supervised", or estimates_level = false',
        )


def _check_integers(recipe: Recipe) -> None:
    """Refuses what has nothing to imitate in integers, or could not hold them."""
    if not recipe.model.start:
        raise RecipeError(
            "integers = true",
            "has no network in floats to imitate",
            'write [model] start = "RUN", with the run that trained it',
        )
    if recipe.model.dtype != "float32":
        raise RecipeError(
            f"dtype {recipe.model.dtype!r}",
            "rounds by itself, where integers have their own rounding",
            'write dtype = "float32", or integers = false',
        )


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
