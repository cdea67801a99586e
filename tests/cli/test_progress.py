from __future__ import annotations

import pytest

from kerasdenoise.cli.progress import Progress


def bar_of(progress: Progress):
    return progress._bar.tasks[0]


def test_the_bar_counts_all_tiles_of_all_files():
    with Progress([3, 2]) as progress:
        assert bar_of(progress).total == 5
        for _ in range(3):
            progress.advance()
        progress.end_file()
        assert bar_of(progress).completed == 3
        progress.end_file()
        assert bar_of(progress).completed == 5


def test_a_file_that_fails_or_is_not_as_expected_leaves_the_bar_right():
    with Progress([3, 0, 2]) as progress:
        progress.advance()
        progress.end_file()
        assert bar_of(progress).completed == 3
        progress.advance()
        progress.end_file()
        assert bar_of(progress).completed == 3


def test_without_a_bar_lines_are_printed_unless_quiet(capsys: pytest.CaptureFixture[str]):
    for quiet in (False, True):
        with Progress(None, quiet=quiet) as progress:
            progress.start_file("a")
            progress.advance()
            progress.line(f"[b] quiet {quiet}")
            progress.end_file()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "[b] quiet False\n")
