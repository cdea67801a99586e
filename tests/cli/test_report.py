from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kerasdenoise.cli.report import Progress, arrow, print_error, say

CLI = Path(__file__).parents[2] / "cli.py"


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "→"), ("ascii", "->"), ("cp1252", "->")])
def test_the_arrow_is_one_that_the_terminal_can_show(
    encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert arrow() == shown


def test_an_error_is_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str]):
    print_error("two  spaces.jpg: one\ntwo")
    assert capsys.readouterr().err == "kerasdenoise: two  spaces.jpg: one two\n"


def test_without_standard_error_nothing_goes_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stderr", None)
    say("lost")
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "a.png", "--json"],
        ["info", "a.png"],
        ["denoise", "a.png", "--json"],
        ["denoise", "a.png", "-o", "-"],
        ["models", "list"],
        ["compare", "a.png", "a.png", "--json"],
    ],
    ids=" ".join,
)
def test_a_full_disk_behind_standard_output_is_said(
    arguments: list[str],
    cli_environment: dict[str, str],
    write_photo: Callable[..., Path],
    tmp_path: Path,
):
    write_photo("a.png")
    with Path("/dev/full").open("wb") as full:
        outcome = subprocess.run(
            [sys.executable, str(CLI), *arguments],
            cwd=tmp_path,
            env=cli_environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    assert outcome.returncode == 1
    (line,) = [each for each in outcome.stderr.splitlines() if "kerasdenoise:" in each]
    assert re.search(r"standard output: .*No space left on device", line)


def bar_of(progress: Progress):
    return progress._bar.tasks[0]


def test_the_bar_counts_all_steps_of_all_files_by_their_sizes():
    with Progress([300, 200]) as progress:
        assert bar_of(progress).total == 500
        progress.start_file("a", 3)
        for done in (100, 200, 300):
            progress.advance()
            assert bar_of(progress).completed == pytest.approx(done)
        progress.end_file()
        assert bar_of(progress).completed == 300
        progress.start_file("b", 2)
        progress.advance()
        assert bar_of(progress).completed == 400
        progress.end_file()
        assert bar_of(progress).completed == 500


def test_a_file_that_fails_or_is_not_as_expected_leaves_the_bar_right():
    with Progress([3, 0, 2]) as progress:
        progress.start_file("a", 3)
        progress.advance()
        progress.end_file()
        assert bar_of(progress).completed == 3
        progress.start_file("b")
        progress.advance()
        progress.end_file()
        assert bar_of(progress).completed == 3
        progress.start_file("c", 2)
        for _ in range(5):
            progress.advance()
        assert bar_of(progress).completed == 5


def test_without_a_bar_lines_are_printed_unless_quiet(capsys: pytest.CaptureFixture[str]):
    for quiet in (False, True):
        with Progress(None, quiet=quiet) as progress:
            progress.start_file("a")
            progress.advance()
            progress.line(f"[b] quiet {quiet}")
            progress.end_file()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "[b] quiet False\n")
