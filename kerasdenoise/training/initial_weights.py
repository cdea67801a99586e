"""What a training starts from and learns from: earlier runs, and saved models."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras

import kerasdenoise.layers  # noqa: F401 (registers the layers that saved models name)
from kerasdenoise.errors import ModelError, RecipeError
from kerasdenoise.models import split_noise_level
from kerasdenoise.training.build import build_network, load_run
from kerasdenoise.training.checkpoint import is_run, read_run
from kerasdenoise.training.net2wider import net2wider
from kerasdenoise.training.recipe import Recipe, read_recipe
from kerasdenoise.training.teacher import Teacher
from kerasdenoise.zoo import find_model, verify_model


def read_history(recipe: Recipe) -> list[str]:
    """Returns the texts of the recipes of all that one started from, the last first."""
    history: list[str] = []
    for source in filter(None, (recipe.model.initial_weights, *recipe.model.part_weights.values())):
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


def load_teacher(recipe: Recipe) -> Teacher | None:
    """Loads what a recipe's network learns from, to compute in the same precision; None if none.

    Raises:
        RecipeError: If it is a run that cannot be read, of integers, or takes other inputs.
        ModelError: If it is neither run nor model, or one that is damaged.
    """
    source = recipe.model.teacher
    if not source:
        return None
    given = load_source(source)
    config = recipe.model.config
    if len(given.inputs) > 1 or given.input.shape[-1] != config.channels:
        raise RecipeError(
            f"teacher {source!r}",
            "does not take a noisy image alone, of as many channels as this network",
            "name a network that does",
        )
    taught_by = _read(source).model
    if taught_by.quantization_aware:
        raise RecipeError(
            f"teacher {source!r}", "was trained in integers", "name the one that it imitates"
        )
    network = build_network(dataclasses.replace(taught_by, dtype=recipe.model.dtype))
    network.set_weights(given.get_weights())
    if getattr(config, "estimates_level", False):
        parts = split_noise_level(network)
        if parts is None:
            raise RecipeError(
                f"teacher {source!r}",
                "does not go by a level of the noise, as this network does",
                "name one that estimates it too, or write estimates_level = false",
            )
        network = parts.told
    return Teacher(network)


def start_from_sources(denoiser: keras.Model, recipe: Recipe) -> None:
    """Gives a network, or parts of it, the weights that its recipe says it starts from.

    Raises:
        RecipeError: If they are of another network, or there is no such part.
    """
    targets = {"": (denoiser, recipe.model.initial_weights)} if recipe.model.initial_weights else {}
    if not recipe.model.initial_weights:
        _check_frozen(denoiser, recipe.model.part_weights)
    for part, source in recipe.model.part_weights.items():
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
        if recipe.model.net2wider and network is denoiser:
            _grow_from(denoiser, source, recipe)
        else:
            _copy_from(network, source)


def _copy_from(network: keras.Model, source: str) -> None:
    try:
        network.set_weights(load_source(source).get_weights())
    except ValueError as error:
        raise RecipeError(
            source, f"is another network than {network.name}", "start from one of the same"
        ) from error


def _grow_from(denoiser: keras.Model, source: str, recipe: Recipe) -> None:
    """Grows a copy that computes in float32, in which it can be compared with what it is of."""
    exact = build_network(dataclasses.replace(recipe.model, dtype="float32"))
    net2wider(exact, load_source(source))
    denoiser.set_weights(exact.get_weights())


def _read(source: str) -> Recipe:
    """Returns the recipe of a run or of a saved model."""
    if is_run(Path(source)):
        return read_run(Path(source))
    return read_recipe(find_model(source).folder / "recipe.toml")


def _check_frozen(denoiser: keras.Model, parts: dict[str, str]) -> None:
    """Refuses to train around a network that is not trained and has random weights."""
    for layer in denoiser.layers:
        if isinstance(layer, keras.Model) and not layer.trainable and layer.name not in parts:
            raise RecipeError(
                f"part {layer.name!r}",
                f"of {denoiser.name} is not trained with it, and has no weights",
                f'write [model] part_weights = {{ {layer.name} = "RUN" }}, the run that trained it',
            )
