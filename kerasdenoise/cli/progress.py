"""One progress bar over all tiles of all files, for people at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from kerasdenoise.cli.report import say


class Progress:
    """A bar on standard error, with lines of text above it; without a bar, lines only.

    Args:
        tiles: The number of tiles of each file, in the order in which they are done; None
            for no bar.
        quiet: Print no lines either.
    """

    def __init__(self, tiles: Sequence[int] | None, *, quiet: bool = False) -> None:
        self._tiles = tiles
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._files = 0

    def __enter__(self) -> Self:
        if self._tiles is not None:
            self._bar = _bar()
            self._task = self._bar.add_task("", total=sum(self._tiles))
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start_file(self, name: str) -> None:
        """Shows which file is being done."""
        if self._bar is not None:
            self._bar.update(self._task, description=name)

    def advance(self) -> None:
        """One tile more is done."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def end_file(self) -> None:
        """All of the file's tiles are done, or never will be."""
        self._files += 1
        if self._bar is not None and self._tiles is not None:
            self._bar.update(self._task, completed=sum(self._tiles[: self._files]))

    def line(self, text: str) -> None:
        """Prints a line of text, above the bar where there is one."""
        if self._quiet:
            return
        if self._bar is None:
            say(text)
        else:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    return Progress(
        BarColumn(),
        TaskProgressColumn(),
        Remaining(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
