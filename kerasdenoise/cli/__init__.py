"""The command line: one file per command, imported on demand."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from kerasdenoise._version import __version__
from kerasdenoise.cli.report import Report, print_error
from kerasdenoise.errors import KerasDenoiseError, describe_unexpected

# Each command's module, and its summary in `--help`, which imports none of them.
COMMANDS = {
    "denoise": "Remove noise from photos.",
    "models": "List, show and verify saved models.",
    "adapt": "Learn from your own noisy photos.",
    "train": "Train a model from a recipe, or an architecture.",
    "tune": "Search for the best settings of an architecture.",
    "export": "Export a training run or a saved model.",
    "reproduce": "Repeat the experiments of a paper.",
    "evaluate": "Measure a model on a folder of images.",
    "benchmark": "Compare a model's speed with other denoisers.",
    "compare": "Compare two images side by side.",
    "noise": "Add noise to an image.",
    "info": "Show format, camera and estimated noise.",
    "app": "Denoise photos in your browser.",
    "serve": "Denoise photos for other computers.",
}

# The order and the titles in `--help`.
SECTIONS = {
    "Photos": ("denoise", "info", "compare", "noise", "app", "serve"),
    "Models": ("models", "evaluate", "benchmark"),
    "Building models": ("adapt", "train", "tune", "export", "reproduce"),
}

INTERRUPTED = 130

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
# What the system says of paths that users give, wherever it is found out.
_OF_PATHS = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR)


class LazyGroup(click.Group):
    """A group whose commands are modules of a package.

    Args:
        package: The package. Each module defines a click command named `command`.
        summaries: Module names and their commands' short help. Listing the commands imports
            none of them.
        sections: Module names by their title in the help. Modules without a title come last.
        **attrs: Arguments of `click.Group`.
    """

    def __init__(
        self,
        *,
        package: str,
        summaries: Mapping[str, str],
        sections: Mapping[str, Sequence[str]] | None = None,
        **attrs: Any,
    ) -> None:
        # These replace the commands where only names and summaries are needed:
        # in the help, in shell completion and in "did you mean".
        stand_ins = {
            name: click.Command(name, short_help=summary) for name, summary in summaries.items()
        }
        super().__init__(commands=stand_ins, **attrs)
        self._package = package
        placed = {name for names in (sections or {}).values() for name in names}
        rest = tuple(name for name in summaries if name not in placed)
        self._sections = {**(sections or {}), "Commands": rest}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The command names, in their given order."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command."""
        if cmd_name not in self.commands:
            return None
        return importlib.import_module(f"{self._package}.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        for title, names in self._sections.items():
            if names:
                with formatter.section(title):
                    formatter.write_dl(
                        [(name, self.commands[name].short_help or "") for name in names]
                    )


@click.group(
    cls=LazyGroup,
    package=__name__,
    summaries=COMMANDS,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="kerasdenoise")
def group() -> None:
    """Remove noise from photos, and train the networks that do it.

    \b
        kerasdenoise denoise photo.jpg    writes photo_denoised.jpg
    """  # noqa: D301 (\b keeps the lines after it as they are)


def main() -> NoReturn:
    """Runs the command line and exits: 0 done, 1 failed, 2 rejected, 130 interrupted."""
    report = Report()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Do not fail because a terminal cannot show a character.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = group.main(prog_name="kerasdenoise", obj=report, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        print_error(_one_line(error))
        code = error.exit_code
    except click.Abort:
        print_error("interrupted")
        code = INTERRUPTED
    except Exception as error:
        code = explain(error, report)
    sys.exit(code if isinstance(code, int) else 0)


def explain(error: Exception, report: Report) -> int:
    """Prints what ended a command, as one line, and returns its exit code."""
    report.traceback(error)
    if isinstance(error, KerasDenoiseError):
        print_error(error)
        return error.exit_code
    # Errors about files have a file name, and their own messages.
    if isinstance(error, OSError) and error.filename is None and error.errno in _FULL:
        _drop_output()
        print_error(f"standard output: cannot be written ({error.strerror}); free some space")
    elif isinstance(error, BrokenPipeError):  # the reader has closed it
        _drop_output()
    elif isinstance(error, OSError) and error.filename and error.errno in _OF_PATHS:
        print_error(f"{error.filename}: {error.strerror}; check the path")
    else:
        print_error(
            f"unexpected {describe_unexpected(error)}; run it again with -vv and report the output"
        )
    return 1


def _drop_output() -> None:
    """Discards what is left for standard output, without another error."""
    with open(os.devnull, "wb") as null:  # noqa: PTH123
        os.dup2(null.fileno(), 1)


def _one_line(error: click.ClickException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    return f"{message.rstrip('.')}; see {context.command_path} --help"
