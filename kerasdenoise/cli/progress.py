"""One progress bar over all files and what each is cut into, for people at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from kerasdenoise.cli.report import say
from kerasdenoise.foreign import printable


class Progress:
    """A bar on standard error, with lines of text above it; without a bar, lines only.

    Args:
        sizes: How much work each file is beside the others, as the bytes it has, in the order in
            which they are done; None for no bar.
        quiet: Print no lines either.
    """

    def __init__(self, sizes: Sequence[int] | None, *, quiet: bool = False) -> None:
        self._sizes = sizes
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._files = 0
        self._before = 0.0  # all files that are done
        self._within = 0.0  # the one that is being done
        self._step = 0.0

    def __enter__(self) -> Self:
        if self._sizes is not None:
            self._bar = _bar()
            self._task = self._bar.add_task("", total=sum(self._sizes))
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

    def start_file(self, name: str, steps: int = 1) -> None:
        """Shows which file is being done, in how many steps."""
        self._within, self._step = 0.0, self._size() / max(steps, 1)
        if self._bar is not None:
            self._bar.update(self._task, description=printable(name))

    def advance(self) -> None:
        """One step more of the file is done."""
        # Where memory fails there are more steps than were foreseen.
        self._within = min(self._within + self._step, self._size())
        self._show()

    def end_file(self) -> None:
        """All of the file's steps are done, or never will be."""
        self._before += self._size()
        self._within = 0.0
        self._files += 1
        self._show()

    def line(self, text: str) -> None:
        """Prints a line of text, above the bar where there is one."""
        if self._quiet:
            return
        if self._bar is None:
            say(text)
        else:
            self._bar.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def _size(self) -> float:
        return self._sizes[self._files] if self._sizes is not None else 0.0

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self._before + self._within)


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
