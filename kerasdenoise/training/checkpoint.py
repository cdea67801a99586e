"""All of a run's state in one file, written so that a kill at any moment loses none."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import RecipeError
from kerasdenoise.files import write_by
from kerasdenoise.training.recipe import Recipe, parse_recipe

_FILE = "checkpoint.npz"
_MOST_STEPS = 2**53


def save_checkpoint(
    run: Path, recipe: Recipe, step: int, task: keras.Model, optimizer: keras.optimizers.Optimizer
) -> None:
    """Writes the state after `step` steps, replacing the last checkpoint in one move.

    It holds plain arrays, so that a run can go on under another Keras backend.
    """
    arrays = {f"task/{i}": np.asarray(v) for i, v in enumerate(_values(task.variables))}
    arrays |= {f"optimizer/{i}": np.asarray(v) for i, v in enumerate(_values(optimizer.variables))}
    arrays["meta"] = np.array(json.dumps({"step": step, "recipe": recipe.source}))
    write_by(run / _FILE, lambda path: np.savez(path, allow_pickle=False, **arrays), option="--run")


def is_run(folder: Path) -> bool:
    """Whether a folder holds a training run."""
    return (folder / _FILE).exists()


def read_run(run: Path) -> Recipe:
    """Returns the recipe that a run follows.

    Raises:
        RecipeError: If the folder holds no checkpoint or an unreadable one.
    """
    if not is_run(run):
        raise RecipeError(run, "holds no training run", "name the folder that `train` wrote")
    return _parse(_read_meta(run), run)


def restore_checkpoint(
    run: Path, recipe: Recipe, task: keras.Model, optimizer: keras.optimizers.Optimizer
) -> int:
    """Sets all variables to the checkpoint's and returns its step; 0 without one.

    Raises:
        RecipeError: If the checkpoint is of another recipe or cannot be read.
    """
    if not is_run(run):
        return 0
    meta = _read_meta(run)
    if _parse(meta, run).identity() != recipe.identity():
        raise RecipeError(
            run, "holds a run of a different recipe", "name another folder with --run"
        )
    groups = {"task": task.variables, "optimizer": optimizer.variables}
    built = {f"{group}/{i}": v for group, each in groups.items() for i, v in enumerate(each)}
    with _open(run) as arrays:
        kept = {key: arrays[key] for key in set(arrays) - {"meta"}}
    odd = set(kept) ^ set(built)
    odd |= {key for key in set(kept) & set(built) if kept[key].shape != tuple(built[key].shape)}
    if odd:
        raise RecipeError(
            run,
            f"was written by another version of kerasdenoise or Keras, which has other variables "
            f"({min(odd)})",
            "resume it with that version, or name another folder with --run",
        )
    for key, variable in built.items():
        variable.assign(kept[key])
    return meta["step"]


def averaged_variables(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """The moving averages that an optimizer with `use_ema=True` keeps, one per weight."""
    return [v for v in optimizer.variables if v.path.endswith("_average")]


def _parse(meta: dict[str, Any], run: Path) -> Recipe:
    """Parses the recipe of a checkpoint, which an earlier version may have written otherwise."""
    try:
        return parse_recipe(meta["recipe"], "its recipe")
    except RecipeError as error:
        raise RecipeError(
            run,
            f"was written by another version of kerasdenoise ({error.subject} {error.cause})",
            "use it with that version, or name another folder with --run",
        ) from error


def _values(variables: list[Any]) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _read_meta(run: Path) -> dict[str, Any]:
    with _open(run) as arrays:
        meta = json.loads(str(arrays["meta"]))
        if (
            not isinstance(meta, dict)
            or not isinstance(meta.get("recipe"), str)
            or type(meta.get("step")) is not int
            or not 0 <= meta["step"] < _MOST_STEPS
        ):
            raise ValueError("it says no recipe, or no step")
        return meta


@contextlib.contextmanager
def _open(run: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """Opens the checkpoint; whatever goes wrong with reading it is one kind of error."""
    try:
        # NumPy by itself leaves a file open that it cannot read.
        with (run / _FILE).open("rb") as file, np.load(file) as arrays:
            yield arrays
    except (EOFError, KeyError, OSError, RecursionError, ValueError, zipfile.BadZipFile) as error:
        raise RecipeError(
            run / _FILE,
            f"is not a checkpoint ({error})",
            "restore it, or name another folder with --run",
        ) from error
