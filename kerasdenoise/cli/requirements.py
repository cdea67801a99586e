"""Checks for the packages that building and training networks needs."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kerasdenoise.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

# The packages of the extra `train` that commands import by name.
_PACKAGES = (
    "keras",
    "keras_tuner",
    "matplotlib",
    "pydantic",
    "tensorflow",
    "tensorflow_datasets",
    "tomli_w",
)


def needs_training(command: Command) -> Command:
    """Rejects a command before any work if packages of the extra `train` are missing.

    Raises:
        UsageError: One is missing.
    """

    @functools.wraps(command)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check_training()
        return command(*args, **kwargs)

    return checked  # type: ignore[return-value]


def check_training() -> None:
    """Rejects the current command if packages of the extra `train` are missing.

    Raises:
        UsageError: One is missing.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return
    is_checkout = Path(__file__).parents[2].joinpath("Makefile").is_file()
    remedy = "run make setup" if is_checkout else 'run pip install "kerasdenoise[train]"'
    command = click.get_current_context().command_path
    raise UsageError(command, f"needs missing packages: {', '.join(missing)}", remedy)
