from __future__ import annotations

import dataclasses
import errno
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.errors import OutputError, RecipeError
from kerasdenoise.losses import get_loss
from kerasdenoise.models import list_architectures
from kerasdenoise.noise import Gaussian
from kerasdenoise.training.checkpoint import (
    copy_averages,
    read_log,
    restore_checkpoint,
    save_checkpoint,
)
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.training.tasks import Task, build_task
from kerasdenoise.training.tasks.supervised import Supervised


@dataclass(frozen=True)
class Saved:
    """A task after two steps, what was saved of it, and what the third step made of it."""

    folder: Path
    recipe: Recipe
    task: Task
    values: list[np.ndarray]
    due_loss: float
    due_values: list[np.ndarray]


def _values(task: Task) -> list[np.ndarray]:
    variables = [*task.variables, *task.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _names(task: Task, recipe: Recipe) -> set[str]:
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), recipe, 1, task)
        with np.load(Path(folder) / "checkpoint.npz") as arrays:
            return set(arrays) - {"meta"}


def _clean(step: int) -> np.ndarray:
    return np.random.default_rng(step).random((4, 48, 48, 3), np.float32)


@pytest.fixture(scope="module")
def saved(recipe_text: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Saved:
    recipe = parse_recipe(recipe_text())
    folder = tmp_path_factory.mktemp("saved")
    task = build_task(recipe)
    for step in range(2):
        task.train_on_batch(_clean(step))
    save_checkpoint(folder, recipe, 2, task)
    values = _values(task)
    loss = float(task.train_on_batch(_clean(2)))
    due_values = _values(task)
    restore_checkpoint(folder, recipe, task)
    return Saved(folder, recipe, task, values, loss, due_values)


@pytest.fixture(scope="module")
def fresh(saved: Saved) -> Task:
    return build_task(saved.recipe)


@pytest.fixture
def run(saved: Saved, tmp_path: Path) -> Path:
    """A copy of the folder."""
    return shutil.copytree(saved.folder, tmp_path / "run")


def test_a_run_goes_on_with_the_step_that_was_due(saved: Saved, fresh: Task, run: Path):
    assert restore_checkpoint(run, saved.recipe, fresh) == 2
    for restored, value in zip(_values(fresh), saved.values, strict=True):
        np.testing.assert_array_equal(restored, value)
    # Equal only if the noise's random numbers go on where they stopped.
    assert fresh.train_on_batch(_clean(2)) == pytest.approx(saved.due_loss, rel=1e-5)
    for resumed, due in zip(_values(fresh), saved.due_values, strict=True):
        np.testing.assert_allclose(resumed, due, atol=1e-5)


def test_a_folder_without_a_checkpoint_starts_at_step_0(saved: Saved, fresh: Task, tmp_path: Path):
    assert restore_checkpoint(tmp_path, saved.recipe, fresh) == 0


def test_nothing_else_is_left(saved: Saved, run: Path):
    save_checkpoint(run, saved.recipe, 3, saved.task)
    assert [file.name for file in run.iterdir()] == ["checkpoint.npz"]


def test_a_write_that_fails_leaves_the_last_checkpoint(
    saved: Saved, run: Path, monkeypatch: pytest.MonkeyPatch
):
    before = (run / "checkpoint.npz").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OutputError, match=r"no space.*--run"):
        save_checkpoint(run, saved.recipe, 3, saved.task)
    assert (run / "checkpoint.npz").read_bytes() == before


def test_variables_are_named_alike_however_many_tasks_there_were(saved: Saved):
    names = [_names(task, saved.recipe) for task in (saved.task, build_task(saved.recipe))]
    assert names[0] == names[1]
    assert {
        "denoiser/head/kernel",
        "task/noise/seed_generator_state",
        "optimizer/iteration",
        "optimizer/head_kernel_average",
    } <= names[0]


@pytest.mark.parametrize("name", list_architectures())
def test_all_variables_of_all_architectures_have_names_of_their_own(
    recipe_text: Callable[..., str], name: str
):
    config = '{ preset = "tiny" }\ndtype = "mixed_float16"'
    recipe = parse_recipe(recipe_text(architecture=f'"{name}"', config=config))
    task = build_task(recipe)
    assert len(_names(task, recipe)) == len(task.variables) + len(task.optimizer.variables)


def test_variables_of_one_name_are_refused(saved: Saved, tmp_path: Path):
    noisy = keras.Input((None, None, 3))
    inner = keras.Model(noisy, keras.layers.Conv2D(3, 1, name="conv")(noisy))
    twins = keras.Model(noisy, keras.layers.Conv2D(3, 1, name="conv")(inner(noisy)))
    task = Supervised(twins, Gaussian(), get_loss("l1"), 32, 0)
    task.compile(optimizer=keras.optimizers.SGD(name="optimizer"))
    with pytest.raises(RecipeError, match="'denoiser/conv/kernel': exists twice"):
        save_checkpoint(tmp_path, saved.recipe, 1, task)


def test_averages_are_copied_and_nothing_of_the_task_is_changed(saved: Saved):
    task, before = saved.task, _values(saved.task)
    network = task.make_denoiser(saved.recipe)
    copy_averages(task, network)
    averages = [
        keras.ops.convert_to_numpy(variable)
        for variable in task.optimizer.variables
        if variable.path.endswith("_average")
    ]
    assert len(averages) == len(network.weights)
    for weight, average, latest in zip(
        network.get_weights(), averages, task.denoiser.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, average)
        assert not np.array_equal(weight, latest)
    for value, kept in zip(_values(task), before, strict=True):
        np.testing.assert_array_equal(value, kept)


def test_a_run_of_another_versions_recipe_is_refused_as_such(saved: Saved, run: Path):
    older = saved.recipe.source.replace("learning_rate", "peak").replace("ema_momentum", "average")
    save_checkpoint(run, dataclasses.replace(saved.recipe, source=older), 2, saved.task)
    with pytest.raises(RecipeError, match=r"another version.*average.*unknown.*--run"):
        restore_checkpoint(run, saved.recipe, saved.task)


@pytest.mark.parametrize(
    "damage",
    ["cut", "text", "another file", "empty", "a changed byte"],
)
def test_a_corrupt_checkpoint_is_refused_in_one_line(
    saved: Saved, fresh: Task, run: Path, damage: str
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
        restore_checkpoint(run, saved.recipe, fresh)
    assert str(caught.value).startswith(f"{file}: is not a checkpoint (")
    assert "delete" not in caught.value.remedy
    assert "--run" in caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("missing", "it lacks the variable denoiser/head/kernel;"),
        ("new", "it has, unlike this one, the variable denoiser/extra/kernel;"),
        ("shape", "it has in shape (2, 3), not ("),
    ],
)
def test_a_checkpoint_of_other_variables_is_refused_and_kept(
    saved: Saved, fresh: Task, run: Path, change: str, said: str
):
    file = run / "checkpoint.npz"
    with np.load(file) as archive:
        arrays = dict(archive)
    odd = "denoiser/extra/kernel" if change == "new" else "denoiser/head/kernel"
    arrays[odd] = np.zeros((2, 3), np.float32)
    if change == "missing":
        del arrays[odd]
    np.savez(file, allow_pickle=False, **arrays)
    before = _values(fresh)
    with pytest.raises(RecipeError, match="another version") as caught:
        restore_checkpoint(run, saved.recipe, fresh)
    assert said in str(caught.value)
    assert "delete" not in str(caught.value)
    for value, kept in zip(_values(fresh), before, strict=True):
        np.testing.assert_array_equal(value, kept)


@pytest.mark.parametrize("damage", ['{"step": 3, "lo', "[" * 10**5, "7", "null", "{}", "\x00" * 9])
def test_a_damaged_record_does_not_keep_a_run_from_its_checkpoint(
    tmp_path: Path, damage: str
) -> None:
    entries = [{"step": step, "loss": 0.5} for step in (1, 2)]
    text = "".join(json.dumps(entry) + "\n" for entry in entries)
    (tmp_path / "log.jsonl").write_text(text + damage, "utf-8")
    assert read_log(tmp_path, 5) == entries
    assert read_log(tmp_path, 1) == entries[:1]
