"""`denoise --watch`, whose pauses are the moments at which photos arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.cli import watch as watch_module


@pytest.fixture
def in_pauses(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[object]], None]:
    """Runs a generator to its next `yield` in each pause; its end is Ctrl-C."""

    def use(events: Iterator[object]) -> None:
        def pause(seconds: float) -> None:
            try:
                next(events)
            except StopIteration:
                raise KeyboardInterrupt from None

        monkeypatch.setattr(watch_module.time, "sleep", pause)

    return use


def test_photos_are_denoised_once_they_are_complete(
    command: Callable[..., Any],
    models: Path,
    write_photo: Callable[..., Path],
    in_pauses: Callable[..., None],
    tmp_path: Path,
):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    content = write_photo("new.png").read_bytes()

    def events() -> Iterator[None]:
        (folder / "new.png").write_bytes(content[:100])
        yield
        (folder / "new.png").write_bytes(content)
        yield  # seen with another size
        assert not out.exists()
        yield  # denoised
        assert [each.name for each in out.iterdir()] == ["new.png"]
        (folder / "later.png").write_bytes(content)
        yield
        yield

    in_pauses(events())
    outcome = command("denoise", "in", "--watch", "-o", "out")
    assert outcome.code == 0, outcome.err
    assert {each.name for each in out.iterdir()} == {"new.png", "later.png"}
    assert outcome.err.count("in/new.png ") == 1


def test_a_photo_that_fails_is_tried_again_only_when_it_has_changed(
    command: Callable[..., Any],
    models: Path,
    write_photo: Callable[..., Path],
    in_pauses: Callable[..., None],
    tmp_path: Path,
):
    content = write_photo("photo.png").read_bytes()
    photo = tmp_path / "in/photo.png"
    photo.parent.mkdir()
    photo.write_bytes(content[:200])

    def events() -> Iterator[None]:
        yield from [None] * 4
        photo.write_bytes(content)
        yield from [None] * 3

    in_pauses(events())
    outcome = command("denoise", "in", "--watch", "-o", "out")
    assert outcome.code == 1
    assert outcome.err.count("kerasdenoise: in/photo.png: ") == 1
    assert (tmp_path / "out/photo.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in"], "--watch: needs a folder for the results"),
        (["in/no.png", "-o", "out"], "--watch: needs one folder"),
        (["in", "in", "-o", "out"], "--watch: needs one folder"),
        (["in", "-o", "out", "--overwrite"], "--watch: cannot be combined with --overwrite"),
        (["-", "-o", "out"], "-: cannot be combined with --watch"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    command: Callable[..., Any], models: Path, tmp_path: Path, arguments: list[str], message: str
):
    (tmp_path / "in").mkdir()
    outcome = command("denoise", *arguments, "--watch")
    assert outcome.code == 2
    assert message in outcome.err
