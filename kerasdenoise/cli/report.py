"""Messages on standard error, and how detailed they are."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

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
        if self.verbosity >= 2:
            for line in "".join(traceback.format_exception(error)).splitlines():
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
