"""What `tune` takes and refuses; the search itself is tested in tests/tuning."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from kerasdenoise.cli.options import TIME
from kerasdenoise.models import list_architectures
from kerasdenoise.tuning import workers as workers_module
from kerasdenoise.tuning.study import Study, open_study

IMAGES = "images.npz:pictures"


@pytest.fixture
def images(tmp_path: Path) -> str:
    """An archive in the working folder."""
    np.savez(tmp_path / "images.npz", pictures=np.zeros((20, 32, 32, 3), np.uint8))
    return IMAGES


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Study, list[str], int]]:
    """The searches that were started, none of which does anything."""
    seen: list[tuple[Study, list[str], int]] = []

    def watch_over(study: Study, command: Callable[[], Sequence[str]], workers: int) -> int:
        seen.append((study, list(command()), workers))
        return 0

    monkeypatch.setattr(workers_module, "watch_over", watch_over)
    monkeypatch.delenv("KERASTUNER_TUNER_ID", raising=False)
    return seen


def test_a_search_is_started_in_a_process_of_its_own(
    command: Callable[..., Any], images: str, started: list
):
    outcome = command("tune", "lambda", "--data", images, "--trials", 3, "--workers", 2)
    assert outcome.code == 0
    ((study, line, workers),) = started
    assert (study.folder, workers) == (Path("runs/tune_lambda_net"), 2)
    assert study.settings.architecture == "lambda_net"
    assert (study.settings.tuner, study.settings.objective) == ("bayesian", "psnr")
    assert study.settings.steps == study.space.base.steps
    assert line[3:5] == ["tune", "lambda_net"]
    assert line[line.index("--trials") + 1] == "3"
    assert "--budget" not in line
    first, *_ = outcome.err.splitlines()
    assert first.startswith("runs/tune_lambda_net: lambda_net ")
    assert re.search(r"18 images .*images\.npz:pictures.* 2 .*gaussian:25\.5$", first)
    assert re.search("0 trials.*none", outcome.err)


def test_with_a_budget_there_is_no_number_of_trials(
    command: Callable[..., Any], images: str, started: list
):
    assert command("tune", "dncnn", "--data", images, "--budget", "1h30m").code == 0
    line = started[0][1]
    assert "--trials" not in line
    assert 5390 < int(line[line.index("--budget") + 1].removesuffix("s")) <= 5400


def test_a_study_goes_on_with_its_own_settings(
    command: Callable[..., Any], images: str, started: list
):
    asked = ("--noise", "gaussian:10", "--tuner", "random", "--equal", "compute", "--steps", 9)
    assert command("tune", "unet", "--data", images, *asked).code == 0
    assert command("tune", "unet", "--resume").code == 0
    assert command("tune", "unet", "--resume", *asked).code == 0
    assert started[0][0].settings == started[1][0].settings == started[2][0].settings
    assert started[0][0].settings.noise == ("gaussian:10",)


def _refused(command: Callable[..., Any], *arguments: object) -> str:
    outcome = command("tune", *arguments)
    assert outcome.code == 2
    return outcome.only_error.removeprefix("kerasdenoise: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lambada"], "lambada: .*architecture; .*'lambda_net'"),
        (["dncnn", "--data", "empty"], "no image"),
        (["dncnn", "--data", "gone"], "not a folder"),
        (["dncnn", "--budget", "0h"], "'0h' .*time.* 2h, 90m "),
        (["dncnn", "--budget", "-2h"], "'-2h' .*time"),
        (["dncnn", "--budget", "soon"], "'soon' .*time"),
        (["dncnn", "--budget", "5s"], "--budget 5s: .*short.*; .*60s"),
        (["dncnn", "--trials", "0"], "0 .*range"),
        (["dncnn", "--resume"], "runs/tune_dncnn: .*no study"),
        (["dncnn", "--space", "gone.toml"], r"gone\.toml: .*read"),
        (["report", "empty"], "empty: .*no study"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    command: Callable[..., Any], started: list, tmp_path: Path, arguments: list[str], said: str
):
    (tmp_path / "empty").mkdir()
    assert re.search(said, _refused(command, *arguments))
    assert not started
    assert not (tmp_path / "runs").exists()


def test_a_study_is_not_overwritten(
    command: Callable[..., Any], images: str, started: list, tmp_path: Path
):
    assert command("tune", "dncnn", "--data", images).code == 0
    file = tmp_path / "runs/tune_dncnn/study.json"
    before = file.read_text("utf-8")
    assert re.search("study.*--resume", _refused(command, "dncnn", "--data", images))
    other = "is a study with tuner bayesian, not random"
    assert other in _refused(command, "dncnn", "--resume", "--tuner", "random")
    folder = ("--study", "runs/tune_dncnn", "--resume")
    assert re.search("dncnn.*unet", _refused(command, "unet", *folder))
    assert file.read_text("utf-8") == before
    assert len(started) == 1


def test_a_study_of_another_space_is_refused(
    command: Callable[..., Any], images: str, started: list, tmp_path: Path
):
    (tmp_path / "mine.toml").write_text(
        'architectures = ["dncnn"]\n[space.config]\nwidth = [4, 8]\n', "utf-8"
    )
    mine = ("--space", "mine.toml")
    assert command("tune", "dncnn", "--data", images, *mine).code == 0
    said = _refused(command, "dncnn", "--resume")
    assert re.search("another search space.*--space", said)
    assert command("tune", "dncnn", "--resume", *mine).code == 0
    own = tmp_path / "runs/tune_dncnn/space.toml"
    assert command("tune", "dncnn", "--resume", "--space", own).code == 0


def test_a_search_that_cannot_begin_leaves_no_study(
    command: Callable[..., Any],
    images: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(workers_module, "watch_over", lambda *_: 2)
    assert command("tune", "dncnn", "--data", images).code == 2
    assert not (tmp_path / "runs/tune_dncnn/study.json").exists()


def test_a_damaged_study_is_refused(
    command: Callable[..., Any], images: str, started: list, tmp_path: Path
):
    assert command("tune", "dncnn", "--data", images).code == 0
    file = tmp_path / "runs/tune_dncnn/study.json"
    content = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**content, "speed": 1}), "utf-8")
    assert "another version" in _refused(command, "dncnn", "--resume")
    file.write_text("{", "utf-8")
    assert command("tune", "dncnn", "--resume").code == 1


def test_a_study_opens_as_it_was_written(
    command: Callable[..., Any], images: str, started: list, tmp_path: Path
):
    assert command("tune", "dncnn", "--data", images).code == 0
    assert open_study(tmp_path / "runs/tune_dncnn").settings == started[0][0].settings


def test_help_lists_the_architectures(command: Callable[..., Any]):
    said = command("tune", "--help").out
    for name in list_architectures():
        assert name in said
    assert "Usage: kerasdenoise tune lambda [OPTIONS]" in command("tune", "lambda", "--help").out


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("1.5h", 5400), ("45s", 45)]
)
def test_a_time(text: str, seconds: float):
    assert TIME.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "h", "2", "2d", "m30", "0s", "nan"])
def test_no_time(text: str):
    with pytest.raises(click.BadParameter, match="is not a time"):
        TIME.convert(text, None, None)
