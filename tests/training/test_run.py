from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from kerasdenoise.errors import RecipeError
from kerasdenoise.training import run as run_module
from kerasdenoise.training.build import build_task, load_run
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.training.run import Progress, train


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
    assert sorted(_content(finished)) == ["checkpoint.npz", "curves.png", "log.jsonl"]
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


def test_a_kill_between_checkpoint_and_log_loses_no_entry(
    recipe: Recipe, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Stops, as a kill would, before the second write of an interval, whichever it is."""
    writes = []

    def once(write: Callable) -> Callable:
        def guarded(*values: object) -> None:
            writes.append(write)
            if len(writes) == 2:
                raise KeyboardInterrupt
            write(*values)

        return guarded

    with monkeypatch.context() as patch:
        for name in ("save_checkpoint", "write_log"):
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
