"""A run's network: built by its recipe, kept in a file of its own, and loaded from that alone."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import keras

# These register the layers that files name.
import kerasdenoise.layers
import kerasdenoise.training.fake_quantization  # noqa: F401
from kerasdenoise.errors import ModelError, RecipeError
from kerasdenoise.files import write_by
from kerasdenoise.models import get_architecture
from kerasdenoise.models._parts import use_precision
from kerasdenoise.runtime import keras_defaults
from kerasdenoise.training.recipe import ModelSection, Recipe, parse_recipe

FILE = "model.keras"
# One more entry of that file, which is a zip archive: what made it.
_RECORD = "kerasdenoise.json"
_MOST_STEPS = 2**53


def build_network(model: ModelSection, dtype: str | None = None) -> keras.Model:
    """Builds a network, its weights new.

    Args:
        model: Which one.
        dtype: The precision it computes in, if not its own.

    Raises:
        ModelError: If there is no such network.
    """
    with use_precision(dtype or model.dtype):
        return get_architecture(model.architecture).build(model.config)


def save_network(run: Path, recipe: Recipe, step: int, network: keras.Model) -> None:
    """Writes a run's network after `step` steps, in one move.

    `keras.models.load_model` reads the file as well; what else it holds, Keras passes over.

    Raises:
        OutputError: If it cannot be written.
    """

    def write(path: Path) -> None:
        network.save(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(_RECORD, json.dumps({"step": step, "recipe": recipe.source}))

    write_by(run / FILE, write, option="--run")


def is_run(folder: Path) -> bool:
    """Whether a folder holds a training run, and not a saved model, which has metadata as well."""
    return (folder / FILE).exists() and not (folder / "metadata.json").exists()


def read_run(run: Path) -> Recipe:
    """Returns a run's recipe as far as it was followed.

    Raises:
        RecipeError: If the folder holds no run, or an unreadable one.
    """
    if not is_run(run):
        raise RecipeError(run, "contains no training run", "name the folder that `train` wrote")
    path = run / FILE
    try:
        with zipfile.ZipFile(path) as archive:
            record = json.loads(archive.read(_RECORD))
        step, text = record["step"], record["recipe"]
        if not isinstance(text, str) or type(step) is not int or not 0 <= step < _MOST_STEPS:
            raise ValueError("it lacks the recipe or the step")
    except (OSError, KeyError, TypeError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise RecipeError(
            path, f"is not the network of a run ({error})", "restore it, or train it further"
        ) from error
    recipe = parse_kept_recipe(text, run)
    done = dataclasses.replace(recipe.optimization, steps=step)
    return dataclasses.replace(recipe, optimization=done)


def parse_kept_recipe(text: str, run: Path) -> Recipe:
    """Parses the recipe that a run keeps.

    Raises:
        RecipeError: If it is none, as those of earlier versions may be.
    """
    try:
        return parse_recipe(text, "its recipe")
    except RecipeError as error:
        raise RecipeError(
            run,
            f"was written by another version of kerasdenoise ({error.subject} {error.cause})",
            "use it with that version, or name another folder with --run",
        ) from error


def load_run(run: Path) -> tuple[Recipe, keras.Model]:
    """Returns a run's recipe as far as it was followed, and its network's averaged weights.

    The network computes in float32, whatever it was trained in: its weights always are.

    Raises:
        RecipeError: If the folder holds no run, or an unreadable one.
        ModelError: If its network is damaged, or would need code of its own to be run.
    """
    return read_run(run), load_network(run / FILE)


@keras_defaults()
def load_network(path: Path) -> keras.Model:
    """Loads a .keras file.

    Raises:
        ModelError: If it is damaged, or would need code of its own to be run, which is never done.
    """
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError) as error:  # by which Keras refuses
        raise ModelError(
            path,
            "is not loaded: it is damaged, or holds code of its own or layers that are not known",
            "use a model that is made of the layers of Keras and kerasdenoise alone",
        ) from error
