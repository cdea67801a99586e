"""Errors for users: what was given, what is wrong, what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

# A message names no more paths than this, so that one about 10,000 files can still be read.
_NAMED = 8


class KerasDenoiseError(Exception):
    """An error that users can act on.

    The command line prints it as one line, `subject: cause; remedy`, and exits with
    `exit_code`. A traceback is shown only on request.

    Args:
        subject: What was given: a file, a model name, an option.
        cause: What is wrong with it.
        remedy: What to do about it; empty if nothing can be done.
    """

    exit_code = 1

    def __init__(self, subject: object, cause: str, remedy: str = "") -> None:
        self.subject = str(subject)
        self.cause = cause
        self.remedy = remedy
        text = f"{self.subject}: {cause}"
        super().__init__(f"{text}; {remedy}" if remedy else text)

    def __reduce__(self) -> tuple[type[KerasDenoiseError], tuple[str, str, str]]:
        """Lets another process raise it."""
        return type(self), (self.subject, self.cause, self.remedy)


def describe_unexpected(error: BaseException) -> str:
    """Describes an unexpected error in one line, cut to 300 characters."""
    text = textwrap.shorten(str(error), 300, placeholder="...") or "no message"
    return f"{type(error).__name__}: {text}"


def list_names(paths: Iterable[Path]) -> str:
    """Lists paths for a message, each once: the first ones, and how many more there are."""
    names = list(dict.fromkeys(str(path) for path in paths))
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


class InputError(KerasDenoiseError):
    """An input that cannot be read. Other inputs are still processed."""


class OutputError(KerasDenoiseError):
    """A result that cannot be written. No partial file is left behind."""


class UsageError(KerasDenoiseError):
    """A request that is rejected before any work is done."""

    exit_code = 2


class ModelError(UsageError):
    """A model that is unknown, incomplete or differs from its recorded files."""


class RecipeError(UsageError):
    """An invalid training recipe."""
