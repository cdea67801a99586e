"""What `train` passes on and says; the training itself is tested in tests/training."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()

from kerasdenoise.training import run as run_module  # noqa: E402

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
