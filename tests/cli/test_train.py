"""What `train` passes on and says; the training itself is tested in tests/training."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.runtime import prepare_keras

prepare_keras()

from kerasdenoise.training import run as run_module  # noqa: E402
from kerasdenoise.training.recipe import read_recipe  # noqa: E402

RECIPE = Path(__file__).parents[2] / "recipes" / "photo_large_gpu.toml"


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the last training was limited by; it always stops after one of two steps."""
    seen: dict[str, Any] = {}

    def train(recipe: object, run: Path, root: Path, **options: Any) -> run_module.Progress:
        seen.update(options)
        return run_module.Progress(1, seen.get("stop_at") or 2, 0.1, {}, 0.0, 1e-3, 1.0, 1.0)

    monkeypatch.setattr(run_module, "train", train)
    return seen


def test_minutes_count_from_the_start(command: Callable[..., Any], limits: dict[str, Any]):
    assert command("train", RECIPE, "--minutes", 2).code == 0
    assert 0 < limits["seconds"] <= 120


def test_without_minutes_there_is_no_limit(command: Callable[..., Any], limits: dict[str, Any]):
    assert command("train", RECIPE).code == 0
    assert limits["seconds"] is None


def test_minutes_are_more_than_none(command: Callable[..., Any], limits: dict[str, Any]):
    assert command("train", RECIPE, "--minutes", 0).code == 2
    assert not limits


def test_a_stopped_run_says_how_to_go_on(command: Callable[..., Any], limits: dict[str, Any]):
    outcome = command("train", RECIPE, "--data", "photos", "--run", "large", "--minutes", 1)
    command_line = f"kerasdenoise train {RECIPE} --run large --data photos"
    assert re.search(f"large: step 1 of 2.*{re.escape(command_line)}$", outcome.only_error)


def test_an_architecture_gets_a_recipe_and_a_run(
    command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    for name in ("a", "b", "c"):
        Image.fromarray(pixels).resize((64, 64)).save(_folder(tmp_path / "photos") / f"{name}.png")
    options = ("--data", "photos", "--noise", "gaussian:30")
    outcome = command("train", "perona", *options, "--steps", 2, "--tensorboard")
    assert outcome.code == 0, outcome.err
    (events,) = (tmp_path / "runs/perona_malik/tensorboard").iterdir()
    assert b"val_psnr" in events.read_bytes()
    recipe = read_recipe(tmp_path / "runs/perona_malik.toml")
    assert (recipe.name, recipe.optimization.steps) == ("perona_malik", 2)
    assert [each.kind.text for each in recipe.noise] == ["gaussian:30"]
    assert (tmp_path / "runs/perona_malik/model.keras").is_file()
    assert "next: kerasdenoise export runs/perona_malik" in outcome.err

    again = command("train", "perona_malik")
    assert "nothing left to do" in again.err
    assert "edit that file" in command("train", "perona", *options).only_error


def test_nothing_is_left_of_a_recipe_that_cannot_be_written(
    command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Image.new("RGB", (2, 2)).save(_folder(tmp_path / "photos") / f"{name}.png")
    outcome = command("train", "unet", "--data", "photos")
    assert outcome.code == 2
    assert not [*tmp_path.glob("runs/*")]


@pytest.mark.parametrize("option", [("--noise", "gaussian:25"), ("--steps", 3)])
def test_a_recipe_says_noise_and_steps_itself(
    command: Callable[..., Any], limits: dict[str, Any], option: tuple[str, Any]
):
    outcome = command("train", RECIPE, *option)
    assert outcome.only_error.startswith(f"kerasdenoise: {option[0]}: is only for an architecture")
    assert not limits


def test_an_unknown_architecture_is_named(command: Callable[..., Any]):
    assert "did you mean 'dncnn'?" in command("train", "dncn").only_error
    assert "no_such.toml" in command("train", "no_such.toml").only_error


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def test_a_finished_run_says_what_comes_next(command: Callable[..., Any], limits: dict[str, Any]):
    outcome = command("train", RECIPE, "--stop-at", 1)
    following = f"next: kerasdenoise export runs/{RECIPE.stem}"
    assert outcome.only_error.endswith(f": step 1 of 1; {following}")


@pytest.mark.parametrize(("dead", "said"), [(0.25, True), (0.01, False)])
def test_many_dead_units_are_reported(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, dead: float, said: bool
):
    def train(*_: object, report: Callable[..., None], **__: object) -> None:
        report(run_module.Progress(1, 2, 0.1, {}, dead, 1e-3, 1.0, 1.0))

    monkeypatch.setattr(run_module, "train", train)
    outcome = command("train", RECIPE)
    assert outcome.code == 0
    assert ("25% of the units dead: try a lower learning_rate" in outcome.err) is said


@pytest.mark.parametrize(("psnr", "worse"), [(19.0, True), (30.0, False)])
def test_the_noisy_psnr_stands_beside_and_a_network_that_is_worse_is_warned_of(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, psnr: float, worse: bool
):
    progress = run_module.Progress(
        2, 2, 0.1, {"gaussian:25": psnr}, 0.0, 1e-3, 1.0, 1.0, noisy={"gaussian:25": 20.17}
    )

    def train(*_: object, report: Callable[..., None], **__: object) -> run_module.Progress:
        report(progress)
        return progress

    monkeypatch.setattr(run_module, "train", train)
    outcome = command("train", RECIPE)
    assert f"gaussian:25 {psnr:.2f} dB (noisy 20.17)" in outcome.err
    assert ("warning: gaussian:25" in outcome.err) is worse


_HOSTS = ("--hosts", "10.0.0.1:8476", "--host-count", 2, "--host-index", 1)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ((RECIPE, "--hosts", "10.0.0.1:8476"), "belong together"),
        ((RECIPE, "--host-index", 0), "belong together"),
        ((RECIPE, *_HOSTS[2:], "--hosts", "10.0.0.1"), "--hosts 10.0.0.1: is not HOST:PORT"),
        ((RECIPE, *_HOSTS[:4], "--host-index", 2), "--host-index 2: is not below --host-count 2"),
        ((RECIPE, *_HOSTS, "--minutes", 3), "--minutes: cannot be used with --hosts"),
        (("dncnn", *_HOSTS), "dncnn: has no recipe yet"),
    ],
)
def test_what_several_hosts_cannot_do_is_refused(
    command: Callable[..., Any], limits: dict[str, Any], given: tuple[Any, ...], refused: str
):
    outcome = command("train", *given)
    assert outcome.code == 2
    assert refused in outcome.only_error
    assert not limits


def test_several_devices_need_jax(command: Callable[..., Any], limits: dict[str, Any]):
    outcome = command("train", RECIPE, "--devices", 2)
    assert outcome.code == 2
    assert "KERAS_BACKEND=jax" in outcome.only_error
    assert not limits
