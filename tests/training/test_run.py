from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from kerasdenoise.errors import OutputError, RecipeError
from kerasdenoise.training import run as run_module
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.training.run import Deadline, Progress, train
from kerasdenoise.training.tasks import build_task


@pytest.fixture(scope="module")
def recipe(recipe_text: Callable[..., str]) -> Recipe:
    return parse_recipe(recipe_text())


@pytest.fixture(scope="module")
def _whole(recipe: Recipe, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "quick"
    last = train(recipe, folder, photos, seconds=3600)  # more than enough
    assert last is not None
    assert last.step == 6
    return folder


@pytest.fixture
def finished(_whole: Path, tmp_path: Path) -> Path:
    """A copy of the folder of a run that went to its end."""
    return shutil.copytree(_whole, tmp_path / "quick")


def _log(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]


def _content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_run_writes_checkpoint_log_and_curves(finished: Path):
    assert sorted(_content(finished)) == [
        "checkpoint.npz",
        "curves.png",
        "log.jsonl",
        "model.keras",
    ]
    log = _log(finished)
    assert [entry["step"] for entry in log] == [3, 6]
    for entry in log:
        assert set(entry) == {field.name for field in dataclasses.fields(Progress)}
        assert entry["steps"] == 6
        assert entry["loss"] > 0
        assert 10 < entry["psnr"]["gaussian:25"] < 40
        assert entry["noisy"]["gaussian:25"] == pytest.approx(20.17, abs=0.2)
    with Image.open(finished / "curves.png") as curves:
        curves.load()
        assert min(curves.size) > 300


def test_a_finished_run_has_nothing_left_to_do(finished: Path, recipe: Recipe, photos: Path):
    before = _content(finished)
    assert train(recipe, finished, photos) is None
    assert _content(finished) == before


@pytest.mark.parametrize(
    "changes", [{"seed": "6"}, {"config": "{ widths = [4, 9], blocks = [1, 1] }"}]
)
def test_a_changed_recipe_is_refused_and_the_run_untouched(
    finished: Path, recipe_text: Callable[..., str], photos: Path, changes: dict[str, str]
):
    before = _content(finished)
    changed = parse_recipe(recipe_text(**changes))
    with pytest.raises(RecipeError, match=r"quick: .*different recipe; name"):
        train(changed, finished, photos)
    assert _content(finished) == before


def test_a_longer_recipe_goes_on(finished: Path, recipe_text: Callable[..., str], photos: Path):
    last = train(parse_recipe(recipe_text(steps="8")), finished, photos)
    assert last is not None
    assert (last.step, last.steps) == (8, 8)
    assert [entry["step"] for entry in _log(finished)] == [3, 6, 8]


def test_other_noises_may_be_reported_from_now_on(
    finished: Path, recipe_text: Callable[..., str], photos: Path
):
    text = recipe_text(steps="8", crop_size='64\nnoises = ["gaussian:50"]')
    last = train(parse_recipe(text), finished, photos)
    assert last is not None
    assert set(last.psnr) == {"gaussian:50"}


@pytest.mark.parametrize(
    ("limit", "step", "logged"),
    # Without any time left, one step is done all the same: a run always gets on.
    [({"stop_at": 4}, 4, [3, 4, 6]), ({"seconds": 0.0}, 1, [1, 3, 6])],
    ids=["step", "time"],
)
def test_a_run_that_is_stopped_on_purpose_goes_on_to_the_same_end(
    finished: Path,
    recipe: Recipe,
    photos: Path,
    tmp_path: Path,
    limit: dict,
    step: int,
    logged: list[int],
):
    stopped = train(recipe, tmp_path / "parts", photos, **limit)
    assert stopped is not None
    assert stopped.step == step
    train(recipe, tmp_path / "parts", photos)
    assert [entry["step"] for entry in _log(tmp_path / "parts")] == logged
    with (
        np.load(finished / "checkpoint.npz") as whole,
        np.load(tmp_path / "parts" / "checkpoint.npz") as parts,
    ):
        assert whole.files == parts.files
        for name in set(whole.files) - {"meta"}:
            np.testing.assert_allclose(parts[name], whole[name], atol=1e-5)


@pytest.mark.parametrize("number", [2, 3])
def test_a_kill_between_checkpoint_and_log_loses_no_entry(
    recipe: Recipe, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    """Stops, as a kill would, before one of the writes of an interval, whichever it is."""
    writes = []

    def once(write: Callable) -> Callable:
        def guarded(*values: object) -> None:
            writes.append(write)
            if len(writes) == number:
                raise KeyboardInterrupt
            write(*values)

        return guarded

    with monkeypatch.context() as patch:
        for name in ("save_checkpoint", "save_network", "write_log"):
            patch.setattr(run_module, name, once(getattr(run_module, name)))
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path, photos)
    train(recipe, tmp_path, photos)
    assert [entry["step"] for entry in _log(tmp_path)] == [3, 6]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train": '["gone"]'}, "gone: is not a folder"),
        ({"validation": '["gone"]'}, "gone: is not a folder"),
        ({"patch_size": "256"}, "is larger than every photo"),
        ({"crop_size": "256"}, "validation: has no photo of 256 pixels"),
    ],
)
def test_data_that_cannot_be_used_is_refused(
    recipe_text: Callable[..., str],
    photos: Path,
    tmp_path: Path,
    changes: dict[str, str],
    said: str,
):
    with pytest.raises(RecipeError, match=said):
        train(parse_recipe(recipe_text(**changes)), tmp_path / "run", photos)


def test_a_network_learns_to_denoise(recipe_text: Callable[..., str], photos: Path, tmp_path: Path):
    text = recipe_text(
        steps="200", interval="200", kind='"gaussian:25"', warmup_steps="10\nlearning_rate = 5e-3"
    )
    last = train(parse_recipe(text), tmp_path, photos)
    assert last is not None
    # The noise itself is at 20.2 dB, where the network starts.
    assert last.psnr["gaussian:25"] > 21.2


def test_a_network_that_is_told_the_level_and_has_relus_is_measured(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    config = '{ preset = "tiny", noise_level = true }'
    last = train(parse_recipe(recipe_text(steps="1", config=config)), tmp_path / "run", photos)
    assert last is not None
    assert 0 <= last.dead_units < 1


def test_half_precision_scales_the_loss_so_that_small_gradients_are_not_lost(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    config = '{ preset = "tiny" }\ndtype = "mixed_float16"'
    recipe = parse_recipe(recipe_text(steps="2", config=config))
    # Far below the smallest number of half precision, 6e-8, are these gradients; Adam's steps are
    # as large as ever, if there are any.
    task = build_task(recipe)
    task._image_loss = lambda target, denoised: (
        1e-9 * keras.ops.sum(keras.ops.abs(target - denoised), axis=(1, 2, 3))
    )
    before = [weight.copy() for weight in task.denoiser.get_weights()]
    task.train_on_batch(np.random.default_rng(0).random((4, 48, 48, 3), np.float32))
    after = task.denoiser.get_weights()
    assert any((old != new).any() for old, new in zip(before, after, strict=True))

    last = train(recipe, tmp_path / "run", photos)
    assert last is not None
    assert last.psnr["gaussian:25"] > 19
    _, denoiser = load_run(tmp_path / "run")
    assert denoiser.get_layer("head").compute_dtype == "float32"
    assert train(recipe, tmp_path / "run", photos) is None


class _Diary(keras.callbacks.Callback):
    """Writes down what it is told, and the weights that it sees."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.told: list[tuple[str, int | None, dict]] = []
        self.weights: list[np.ndarray] = []
        self._stop_at = stop_at

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.told.append(("begin", None, {}))

    def on_train_end(self, logs: dict | None = None) -> None:
        self.told.append(("end", None, logs or {}))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.told.append(("epoch", epoch, logs or {}))

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.told.append(("step", batch, logs or {}))
        self.weights.append(self.model.denoiser.get_layer("tail").get_weights()[0])
        if len(self.weights) == self._stop_at:
            self.model.stop_training = True


def check_callbacks(text: str, photos: Path, run: Path) -> None:
    """Trains with callbacks, in two parts."""
    recipe, diary = parse_recipe(text), _Diary(stop_at=4)
    stopped = train(recipe, run, photos, callbacks=[diary])
    assert stopped is not None
    assert stopped.step == 4
    resumed = _Diary()
    last = train(recipe, run, photos, callbacks=[resumed])
    assert last is not None
    names = [name for name, _, _ in diary.told]
    assert names == ["begin", *["step"] * 3, "epoch", "step", "epoch", "end"]
    # The interval that was begun is ended first.
    assert [name for name, _, _ in resumed.told] == ["begin", "step", "step", "epoch", "end"]
    assert [epoch for name, epoch, _ in diary.told if name == "epoch"] == [0, 1]
    assert [epoch for name, epoch, _ in resumed.told if name == "epoch"] == [1]
    logs = resumed.told[-2][2]
    assert logs["loss"] == last.loss == pytest.approx(resumed.told[-3][2]["loss"], rel=1e-5)
    assert logs["val_psnr"] == logs["val_psnr_gaussian:25"] == last.psnr["gaussian:25"]
    for earlier, later in itertools.pairwise(diary.weights):
        assert not np.array_equal(earlier, later)


def test_callbacks_of_keras_are_told_each_step_and_interval(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    check_callbacks(recipe_text(), photos, tmp_path / "run")


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_callbacks_are_told_under_jax_as_well(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    (tmp_path / "quick.toml").write_text(recipe_text(), "utf-8")
    code = (
        "import sys; from test_run import *; "
        "assert keras.backend.backend() == 'jax'; "
        "text, photos, run = map(Path, sys.argv[1:]); "
        "check_callbacks(text.read_text('utf-8'), photos, run)"
    )
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            *map(str, (tmp_path / "quick.toml", photos, tmp_path / "run")),
        ],
        cwd=Path(__file__).parent,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_callbacks_change_nothing_of_a_run(
    finished: Path, recipe: Recipe, photos: Path, tmp_path: Path
):
    logs = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))
    train(recipe, tmp_path / "run", photos, callbacks=[logs, keras.callbacks.TerminateOnNaN()])
    lines = (tmp_path / "log.csv").read_text("utf-8").splitlines()
    assert len(lines) == 3
    with (
        np.load(finished / "checkpoint.npz") as plain,
        np.load(tmp_path / "run" / "checkpoint.npz") as told,
    ):
        for name in set(plain.files) - {"meta"}:
            np.testing.assert_allclose(told[name], plain[name], atol=1e-5)


def test_a_finished_run_that_lost_its_network_writes_it_again(
    finished: Path, recipe: Recipe, photos: Path
):
    kept = load_run(finished)[1].get_weights()
    (finished / "model.keras").unlink()
    assert train(recipe, finished, photos) is None
    for weight, before in zip(load_run(finished)[1].get_weights(), kept, strict=True):
        np.testing.assert_array_equal(weight, before)


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(run_module, "time", clock)
    return clock


def test_a_quarter_is_kept_for_the_first_checkpoint(clock: _Clock):
    deadline = Deadline(100)
    clock.now += 74
    assert not deadline.is_near()
    clock.now += 2
    assert deadline.is_near()


def test_then_twice_as_long_as_the_last_one_took(clock: _Clock):
    deadline = Deadline(100)
    deadline.checkpoint_took(4)
    clock.now += 91
    assert not deadline.is_near()
    clock.now += 2
    assert deadline.is_near()


def test_without_a_limit_there_is_time(clock: _Clock):
    deadline = Deadline(None)
    deadline.checkpoint_took(1e6)
    clock.now += 1e9
    assert not deadline.is_near()


def test_time_that_is_over_is_over(clock: _Clock):
    assert Deadline(-5).is_near()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_folder_that_becomes_a_link_to_others_files_costs_none(
    recipe: Recipe, photos: Path, tmp_path: Path
):
    run, others = tmp_path / "run", tmp_path / "others"
    others.mkdir()
    (others / "curves.png").write_bytes(b"a photo")

    def swap(_: Progress) -> None:
        run.rename(tmp_path / "away")
        run.symlink_to(others)

    with pytest.raises(OutputError, match="replaced since"):
        train(recipe, run, photos, report=swap)
    assert _content(others) == {"curves.png": b"a photo"}
