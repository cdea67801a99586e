from __future__ import annotations

import pytest

from kerasdenoise.cli.progress import Progress


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
