"""What `reproduce` passes on and says; the experiments are tested in tests/experiments."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.cli import reproduce


@pytest.fixture
def calls(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What papers are done again and how, without doing it."""
    assert command("reproduce").code == 0
    seen: list[Any] = []

    def redo(paper: Any, **options: Any) -> Path:
        seen.append((paper.name, options))
        return Path("page.md")

    monkeypatch.setattr(importlib.import_module("common.paper"), "reproduce", redo)
    return seen


def test_without_a_name_all_papers_are_listed(command: Callable[..., Any]):
    outcome = command("reproduce")
    assert outcome.code == 0
    for name in ("hourglass", "lambda_net", "strided_autoencoder"):
        assert f"{name}: " in outcome.out
    assert outcome.out.count("--quick: ") == outcome.out.count("--full: ") >= 3


def test_options_are_passed_on(command: Callable[..., Any], calls: list[Any]):
    outcome = command("reproduce", "lambda_net", "--times", 3, "--minutes", 5, "--data", "photos")
    assert outcome.code == 0
    assert outcome.only_error == "lambda_net: see page.md"
    ((name, options),) = calls
    assert name == "lambda_net"
    assert options["full"] is False
    assert (options["times"], options["minutes"]) == (3, 5)
    assert (options["data"], options["runs"]) == (Path("photos"), Path("runs/reproduce"))
    command("reproduce", "lambda_net", "--full")
    assert calls[1][1]["full"] is True


def test_data_are_where_the_environment_says(
    command: Callable[..., Any], calls: list[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("KERASDENOISE_DATA", raising=False)
    command("reproduce", "lambda_net")
    monkeypatch.setenv("KERASDENOISE_DATA", "elsewhere")
    command("reproduce", "lambda_net")
    command("reproduce", "lambda_net", "--data", "photos")
    folders = [options["data"] for _, options in calls]
    assert folders == [Path("data"), Path("elsewhere"), Path("photos")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lambda_nett"], "lambda_nett: .*paper; .*'lambda_net'"),
        (["xyz"], "xyz: .*paper; "),
        (["lambda_net", "--full", "--times", "2"], "--times 2: .*--full"),
    ],
)
def test_what_cannot_be_done_is_refused(
    command: Callable[..., Any], calls: list[Any], arguments: list[str], said: str
):
    outcome = command("reproduce", *arguments)
    assert outcome.code == 2
    assert re.search(said, outcome.only_error)
    assert calls == []


def test_an_installed_package_says_that_it_needs_a_checkout(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    installed = tmp_path / "site-packages" / "kerasdenoise" / "cli" / "reproduce.py"
    monkeypatch.setattr(reproduce, "__file__", str(installed))
    outcome = command("reproduce", "lambda_net")
    assert outcome.code == 2
    assert re.search("experiments/.*`python cli.py reproduce`.*checkout", outcome.only_error)
