"""What a run keeps beside its network: all of its state, which no kill loses, and its log."""

from __future__ import annotations

import contextlib
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import RecipeError
from kerasdenoise.files import write_by, write_file
from kerasdenoise.runtime import make_figure
from kerasdenoise.training.network import parse_kept_recipe
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks import Task

_FILE = "checkpoint.npz"
_MOST_STEPS = 2**53

_LOG = "log.jsonl"


def save_checkpoint(run: Path, recipe: Recipe, step: int, task: Task) -> None:
    """Writes the state after `step` steps, replacing the last checkpoint in one move.

    It holds plain arrays, so that a run can be resumed under another Keras backend.
    """
    arrays = {name: np.asarray(keras.ops.convert_to_numpy(v)) for name, v in _name(task).items()}
    arrays["meta"] = np.array(json.dumps({"step": step, "recipe": recipe.source}))
    write_by(run / _FILE, lambda path: np.savez(path, allow_pickle=False, **arrays), option="--run")


def restore_checkpoint(run: Path, recipe: Recipe, task: Task) -> int:
    """Sets all variables to the checkpoint's and returns its step; 0 without one.

    Raises:
        RecipeError: If the checkpoint is of another recipe, has other variables, or cannot be
            read; no variable is changed then.
    """
    variables = _name(task)
    if not (run / _FILE).exists():
        return 0
    meta = _read_meta(run)
    if parse_kept_recipe(meta["recipe"], run).identity() != recipe.identity():
        raise RecipeError(
            run, "contains a run of a different recipe", "name another folder with --run"
        )
    with _open(run) as arrays:
        kept = {name: arrays[name] for name in set(arrays) - {"meta"}}
    odd = dict.fromkeys(variables.keys() - kept.keys(), "lacks")
    odd |= dict.fromkeys(kept.keys() - variables.keys(), "has, unlike this one,")
    odd |= {
        name: f"has in shape {kept[name].shape}, not {tuple(variable.shape)},"
        for name, variable in variables.items()
        if name in kept and kept[name].shape != tuple(variable.shape)
    }
    if odd:
        first = min(odd)
        raise RecipeError(
            run,
            f"was written by another version of kerasdenoise or Keras: it {odd[first]} the "
            f"variable {first}",
            "resume it with that version, or name another folder with --run",
        )
    for name, variable in variables.items():
        variable.assign(kept[name])
    return meta["step"]


def copy_averages(task: Task, network: keras.Model) -> None:
    """Gives a network like the task's denoiser the moving averages of its weights.

    What is not trained, and so has no average, is copied as it is.
    """
    averages = [v for v in task.optimizer.variables if v.path.endswith("_average")]
    found = dict(zip(map(id, task.trainable_variables), averages, strict=True))
    for weight, kept in zip(task.denoiser.weights, network.weights, strict=True):
        # A copy: JAX would share the average's memory and give it away in the next step.
        kept.assign(keras.ops.convert_to_numpy(found.get(id(weight), weight)))


def _name(task: Task) -> dict[str, Any]:
    """Returns all variables of a task and its optimizer, by names that do not change."""
    named = [
        (f"{name}/{variable.path}", variable)
        for name, network in task.networks.items()
        for variable in network.variables
    ]
    owned = {id(variable) for _, variable in named}
    named += [(f"task/{v.path}", v) for v in task.variables if id(v) not in owned]
    named += [(v.path, v) for v in task.optimizer.variables]
    variables: dict[str, Any] = {}
    for name, variable in named:
        if name in variables:
            raise RecipeError(
                f"variable {name!r}",
                "exists twice, so a checkpoint could not tell them apart",
                "give the network's layers unique names",
            )
        variables[name] = variable
    return variables


def _read_meta(run: Path) -> dict[str, Any]:
    with _open(run) as arrays:
        meta = json.loads(str(arrays["meta"]))
        if (
            not isinstance(meta, dict)
            or not isinstance(meta.get("recipe"), str)
            or type(meta.get("step")) is not int
            or not 0 <= meta["step"] < _MOST_STEPS
        ):
            raise ValueError("it lacks the recipe or the step")
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


def read_log(run: Path, step: int) -> list[dict[str, Any]]:
    """Returns the entries up to a step; what a killed run wrote after it is dropped.

    So is all from the first line on that is no entry: a record that was damaged does not keep a run
    from its checkpoint.
    """
    file = run / _LOG
    if not file.exists():
        return []
    entries = []
    for line in file.read_text("utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            if entry["step"] <= step:
                entries.append(entry)
        except (ValueError, KeyError, TypeError, RecursionError):
            break
    return entries


def write_log(run: Path, entries: list[dict[str, Any]]) -> None:
    """Replaces the record in one move; figures that are no numbers stay so, as NaN."""
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    write_file(run / _LOG, lines, option="--run")


def draw_curves(entries: list[dict[str, Any]], target: Path) -> None:
    """Draws loss and validation PSNR over the steps as a PNG."""
    steps = [entry["step"] for entry in entries]
    figure = make_figure(9, 4)
    loss_axes, psnr_axes = figure.subplots(1, 2)
    losses = [entry["loss"] for entry in entries]
    # A loss that is a logarithm itself may be negative.
    loss_axes.plot(steps, losses) if min(losses) <= 0 else loss_axes.semilogy(steps, losses)
    loss_axes.set(xlabel="step", ylabel="training loss")
    for kind in entries[-1]["psnr"]:
        values = [entry["psnr"].get(kind, math.nan) for entry in entries]
        psnr_axes.plot(steps, values, label=kind)
    psnr_axes.set(xlabel="step", ylabel="validation PSNR, dB")
    psnr_axes.legend()
    for axes in (loss_axes, psnr_axes):
        axes.grid(alpha=0.3)
    write_by(target, lambda path: figure.savefig(path, dpi=120), option="--run")
