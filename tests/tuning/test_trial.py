"""A trial for real, and the same recipe by `train`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.errors import RecipeError, UsageError
from kerasdenoise.plain_json import read_json
from kerasdenoise.training.recipe import read_recipe
from kerasdenoise.training.run import Progress, train
from kerasdenoise.tuning.data import Data, choose_data
from kerasdenoise.tuning.oracle import Limits
from kerasdenoise.tuning.recipes import find_frame, make_recipe
from kerasdenoise.tuning.report import write_report
from kerasdenoise.tuning.search import run_trial, search
from kerasdenoise.tuning.study import Study

VALUES = {"optimization": {"learning_rate": 3e-3}}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive of smooth small images."""
    rng = np.random.default_rng(0)
    spots = [Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8)) for _ in range(40)]
    pixels = [np.asarray(s.resize((32, 32), Image.Resampling.BICUBIC)) for s in spots]
    file = tmp_path_factory.mktemp("images") / "small.npz"
    np.savez(file, images=np.stack(pixels))
    return str(file)


@pytest.fixture
def study(make_study: Callable[..., Study], images: str, tmp_path: Path) -> Study:
    return make_study(data=choose_data(images, tmp_path / "kept"))


def test_a_trial_is_measured_and_train_reaches_the_same(study: Study, tmp_path: Path):
    recipe = make_recipe(study, find_frame(study), VALUES)
    folder = study.search / "trial_0000"
    seen: list[Progress] = []
    figures = run_trial(folder, recipe, report=seen.append)
    assert [progress.step for progress in seen] == [2, 4, 6, 8]
    assert figures == read_json(folder / "result.json")
    assert figures["psnr"] == pytest.approx(seen[-1].psnr["gaussian:25"])
    assert 0 < figures["ssim"] < 1
    # 9 * (3 * 8 + 8 * 8 + 8 * 8 + 8 * 3), and 4 numbers of each of 16 normalized channels.
    assert (figures["mac_per_pixel"], figures["parameters"]) == (1584, 1648)
    assert figures["latency"] > 0
    # What is done is not done again.
    assert run_trial(folder, "nonsense") == figures

    again = read_recipe(folder / "recipe.toml")
    last = train(again, tmp_path / "again", Path(again.data.root))
    assert last is not None
    assert last.psnr["gaussian:25"] == pytest.approx(figures["psnr"], abs=0.1)


def test_a_killed_trial_goes_on_from_its_checkpoint(study: Study):
    recipe = make_recipe(study, find_frame(study), VALUES)
    folder = study.search / "trial_0000"

    def kill(progress: Progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(folder, recipe, report=kill)
    seen: list[Progress] = []
    run_trial(folder, recipe, report=seen.append)
    assert [progress.step for progress in seen] == [6, 8]


def test_a_promoted_trial_goes_on_where_the_earlier_one_stood(study: Study):
    recipe = make_recipe(study, find_frame(study), VALUES)
    first, second = study.search / "trial_0000", study.search / "trial_0001"
    assert run_trial(first, recipe, 1 / 3)["steps"] == 3
    seen: list[Progress] = []
    figures = run_trial(second, recipe, 1.0, first, seen.append)
    assert [progress.step for progress in seen] == [4, 6, 8]
    assert figures["steps"] == 8


def test_a_training_that_diverges_fails_with_the_reason(study: Study):
    values: dict[str, Any] = {
        "optimization": {"optimizer": "sgd", "learning_rate": 1e30, "loss": "l2"}
    }
    recipe = make_recipe(study, find_frame(study), values)
    with pytest.raises(RecipeError, match="finite loss"):
        run_trial(study.search / "trial_0000", recipe)


def test_small_images_are_used_whole(study: Study):
    frame = find_frame(study)
    assert (frame.patch, frame.crop, frame.images) == (32, 32, 64)
    assert frame.compute == 8 * 2 * 32**2 * 1584


def test_of_photos_patches_are_cut(make_study: Callable[..., Study], tmp_path: Path):
    Image.new("RGB", (150, 100)).save(tmp_path / "photo.png")
    data = Data((), (tmp_path.as_posix(),), (), "", "")
    frame = find_frame(make_study(data=data))
    assert (frame.patch, frame.crop, frame.images) == (64, 96, 16)


def test_images_too_small_for_the_network_are_refused(
    make_study: Callable[..., Study], tmp_path: Path
):
    Image.new("RGB", (7, 7)).save(tmp_path / "dot.png")
    data = Data((), (tmp_path.as_posix(),), (), "", "dots")
    space = 'architectures = ["unet"]\n[space.optimization]\nlearning_rate = [1e-3]'
    study = make_study(data=data, architecture="unet", space=space)
    with pytest.raises(UsageError, match=r"dots: .* 7 pixels.*unet"):
        find_frame(study)


def test_a_whole_search_for_real(study: Study, pretend: Callable[..., Any]):
    pretend(study, run_trial, 2)
    # After so few steps the network does nothing good yet, which is said.
    line, warning, written = write_report(study)
    assert " dB (noisy " in line
    assert warning.startswith("warning: the best trial: ")
    assert line.startswith(f"{study.folder}: 2 trials; the best is trial ")
    assert written.endswith(f"next: kerasdenoise train {study.folder / 'tuned.toml'}")


def test_what_is_wrong_with_all_trials_is_said_before_any(
    make_study: Callable[..., Study], images: str, tmp_path: Path
):
    study = make_study(data=choose_data(images, tmp_path / "kept"), noise=("fog:3",))
    with pytest.raises(UsageError, match="fog"):
        search(study, Limits(2, math.inf, None), print)
    assert not list(study.search.glob("trial_*"))
