"""Messages on standard error, how detailed they are, and one progress bar over all files."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import click

from kerasdenoise.foreign import printable

Command = TypeVar("Command", bound=Callable[..., Any])


class Report:
    """How detailed the messages are.

    Attributes:
        verbosity: 0 for the usual messages, 1 for details, 2 for tracebacks too.
    """

    def __init__(self) -> None:
        self.verbosity = 0

    def traceback(self, error: BaseException) -> None:
        """Prints an error's traceback at verbosity 2."""
        self.trace("".join(traceback.format_exception(error)))

    def trace(self, text: str) -> None:
        """Prints a formatted traceback at verbosity 2."""
        for line in text.splitlines() if self.verbosity >= 2 else ():
            say(line)


def verbose_option(command: Command) -> Command:
    """Adds `-v` and `-vv` to a command."""

    def store(ctx: click.Context, param: click.Parameter, value: int) -> None:
        ctx.ensure_object(Report).verbosity = value

    return click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=store,
        help="Show details; -vv also shows tracebacks.",
    )(command)


def say(text: str) -> None:
    """Prints a line on standard error, if it is open, with control characters escaped."""
    if sys.stderr is not None:  # else print() would choose standard output
        print(printable(text), file=sys.stderr, flush=True)


def print_error(error: object) -> None:
    """Prints an error as one line."""
    say(f"kerasdenoise: {' '.join(str(error).splitlines())}")


def is_terminal() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def arrow() -> str:
    """An arrow that standard error can encode."""
    try:
        "→".encode(getattr(sys.stderr, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return "->"
    return "→"


class Progress:
    """A progress bar on standard error with lines of text above it, or the lines only.

    Args:
        sizes: The relative work of each file, in order, such as its bytes; None for no bar.
        quiet: Print no lines.
    """

    def __init__(self, sizes: Sequence[int] | None, *, quiet: bool = False) -> None:
        self._sizes = sizes
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._files = 0
        self._before = 0.0  # finished files
        self._within = 0.0  # the current file
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
        """Shows the current file, which takes this many steps."""
        self._within, self._step = 0.0, self._size() / max(steps, 1)
        if self._bar is not None:
            self._bar.update(self._task, description=printable(name))

    def advance(self) -> None:
        """Counts a finished step of the file."""
        # When memory runs out, there are more steps than expected.
        self._within = min(self._within + self._step, self._size())
        self._show()

    def end_file(self) -> None:
        """Counts the file as finished, even after an error."""
        self._before += self._size()
        self._within = 0.0
        self._files += 1
        self._show()

    def line(self, text: str) -> None:
        """Prints a line of text, above the bar if there is one."""
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
