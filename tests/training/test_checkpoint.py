from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.errors import OutputError, RecipeError
from kerasdenoise.training.build import averaged_weights, build_task, load_run
from kerasdenoise.training.checkpoint import (
    averaged_variables,
    read_run,
    restore_checkpoint,
    save_checkpoint,
)
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.training.task import DenoisingTask


@dataclass(frozen=True)
class Saved:
    """A task after two steps, what was saved of it, and what the third step made of it."""

    folder: Path
    recipe: Recipe
    task: DenoisingTask
    values: list[np.ndarray]
    due_loss: float
    due_values: list[np.ndarray]


def _values(task: DenoisingTask) -> list[np.ndarray]:
    variables = [*task.variables, *task.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _clean(step: int) -> np.ndarray:
    return np.random.default_rng(step).random((4, 48, 48, 3), np.float32)


@pytest.fixture(scope="module")
def saved(recipe_text: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Saved:
    recipe = parse_recipe(recipe_text())
    folder = tmp_path_factory.mktemp("saved")
    task = build_task(recipe)
    for step in range(2):
        task.train_on_batch(_clean(step))
    save_checkpoint(folder, recipe, 2, task, task.optimizer)
    values = _values(task)
    loss = float(task.train_on_batch(_clean(2)))
    due_values = _values(task)
    restore_checkpoint(folder, recipe, task, task.optimizer)
    return Saved(folder, recipe, task, values, loss, due_values)


@pytest.fixture(scope="module")
def fresh(saved: Saved) -> DenoisingTask:
    return build_task(saved.recipe)


@pytest.fixture
def run(saved: Saved, tmp_path: Path) -> Path:
    """A copy of the folder."""
    return shutil.copytree(saved.folder, tmp_path / "run")


def test_a_run_goes_on_with_the_step_that_was_due(saved: Saved, fresh: DenoisingTask, run: Path):
    assert restore_checkpoint(run, saved.recipe, fresh, fresh.optimizer) == 2
    for restored, value in zip(_values(fresh), saved.values, strict=True):
        np.testing.assert_array_equal(restored, value)
    # Equal only if the noise's random numbers go on where they stopped.
    assert fresh.train_on_batch(_clean(2)) == pytest.approx(saved.due_loss, rel=1e-5)
    for resumed, due in zip(_values(fresh), saved.due_values, strict=True):
        np.testing.assert_allclose(resumed, due, atol=1e-5)


def test_a_folder_without_a_checkpoint_starts_at_step_0(
    saved: Saved, fresh: DenoisingTask, tmp_path: Path
):
    assert restore_checkpoint(tmp_path, saved.recipe, fresh, fresh.optimizer) == 0


def test_the_recipe_comes_back_and_nothing_else_is_left(saved: Saved, run: Path):
    save_checkpoint(run, saved.recipe, 3, saved.task, saved.task.optimizer)
    assert read_run(run) == saved.recipe
    assert [file.name for file in run.iterdir()] == ["checkpoint.npz"]


def test_a_write_that_fails_leaves_the_last_checkpoint(
    saved: Saved, run: Path, monkeypatch: pytest.MonkeyPatch
):
    before = (run / "checkpoint.npz").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OutputError, match=r"no space.*--run"):
        save_checkpoint(run, saved.recipe, 3, saved.task, saved.task.optimizer)
    assert (run / "checkpoint.npz").read_bytes() == before


def test_a_run_is_loaded_with_its_averaged_weights(saved: Saved):
    _, denoiser = load_run(saved.folder)
    averages = averaged_variables(saved.task.optimizer)
    assert len(averages) == len(denoiser.weights)
    for weight, average, latest in zip(
        denoiser.get_weights(), averages, saved.task.denoiser.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, average)
        assert not np.array_equal(weight, latest)


def test_averages_are_lent_and_taken_back_even_after_an_error(saved: Saved):
    task = saved.task
    latest = task.denoiser.get_weights()
    with pytest.raises(RuntimeError), averaged_weights(task):  # noqa: PT012
        averages = averaged_variables(task.optimizer)
        for weight, average in zip(task.denoiser.get_weights(), averages, strict=True):
            np.testing.assert_array_equal(weight, average)
        raise RuntimeError
    for weight, value in zip(task.denoiser.get_weights(), latest, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_folder_without_a_checkpoint_is_no_run(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"no training run; .*folder"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "damage",
    ["cut", "text", "another file", "empty", "a changed byte"],
)
def test_a_corrupt_checkpoint_is_refused_in_one_line(
    saved: Saved, fresh: DenoisingTask, run: Path, damage: str
):
    file = run / "checkpoint.npz"
    content = bytearray(file.read_bytes())
    if damage == "another file":
        np.savez(file, weights=np.zeros(3))
    else:
        content[len(content) // 3] ^= 255
        damaged = {
            "cut": content[: len(content) // 2],
            "text": b"not a checkpoint",
            "empty": b"",
            "a changed byte": content,
        }
        file.write_bytes(damaged[damage])
    with pytest.raises(RecipeError) as caught:
        restore_checkpoint(run, saved.recipe, fresh, fresh.optimizer)
    assert str(caught.value).startswith(f"{file}: is not a checkpoint (")
    assert "delete" not in caught.value.remedy
    assert "--run" in caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["one is missing", "one is new", "another shape"])
def test_a_checkpoint_of_other_variables_is_refused_and_kept(
    saved: Saved, fresh: DenoisingTask, run: Path, change: str
):
    file = run / "checkpoint.npz"
    with np.load(file) as archive:
        arrays = dict(archive)
    if change == "one is missing":
        del arrays["task/0"]
    else:
        arrays["task/999" if change == "one is new" else "task/0"] = np.zeros((2, 3), np.float32)
    np.savez(file, allow_pickle=False, **arrays)
    before = _values(fresh)
    with pytest.raises(RecipeError, match="another version") as caught:
        restore_checkpoint(run, saved.recipe, fresh, fresh.optimizer)
    assert "delete" not in str(caught.value)
    for value, kept in zip(_values(fresh), before, strict=True):
        np.testing.assert_array_equal(value, kept)
