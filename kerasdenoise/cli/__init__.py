"""The command line: one command a file, imported when it is asked for."""

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

# The module of each command, and what `--help` says of it without importing it.
COMMANDS = {
    "denoise": "Remove noise from photos.",
    "models": "List, show and verify the saved models.",
    "train": "Train a model by a recipe.",
    "tune": "Search for the best settings of an architecture.",
    "export": "Turn a training run into a saved model, or that into files.",
    "reproduce": "Do the experiments of a paper again.",
    "evaluate": "Measure a model on a folder of images.",
    "benchmark": "Compare the speed of a model's files, and of others.",
    "compare": "Put pictures side by side and measure them.",
    "noise": "Add noise to an image.",
    "info": "Say what photos are, and how noisy they look.",
    "app": "Denoise photos on a page in the browser.",
}

# In what order `--help` lists them, and under which titles.
SECTIONS = {
    "Photos": ("denoise", "info", "compare", "noise", "app"),
    "Models": ("models", "evaluate", "benchmark"),
    "Building models": ("train", "tune", "export", "reproduce"),
}

INTERRUPTED = 130

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


class LazyGroup(click.Group):
    """A group whose commands are modules of a package.

    Args:
        package: The package; each module holds a click command named `command`.
        summaries: The modules' names and their commands' short help, so that listing the
            commands imports none of them.
        sections: The modules' names by the titles under which the help lists them; those that
            are in none of them come last.
        **attrs: What `click.Group` takes.
    """

    def __init__(
        self,
        *,
        package: str,
        summaries: Mapping[str, str],
        sections: Mapping[str, Sequence[str]] | None = None,
        **attrs: Any,
    ) -> None:
        # These stand for the commands wherever only names and summaries are asked for:
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
        """The commands' names, in the order in which they were given."""
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
    """Remove noise from photographs, and build the networks that do it."""


def main() -> NoReturn:
    """Runs the command line and exits: 0 done, 1 failed, 2 refused, 130 interrupted."""
    report = Report()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a letter is no reason to fail.
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
    except KerasDenoiseError as error:
        report.traceback(error)
        print_error(error)
        code = error.exit_code
    except Exception as error:
        report.traceback(error)
        code = 1
        # Files have errors of their own, and names.
        if isinstance(error, OSError) and error.filename is None and error.errno in _FULL:
            _drop_output()
            print_error(f"standard output: cannot be written ({error.strerror}); free some space")
        elif isinstance(error, BrokenPipeError):  # whoever read it has gone away
            _drop_output()
        else:
            print_error(
                f"unexpected {describe_unexpected(error)}; "
                "run it again with -vv and report what it prints"
            )
    sys.exit(code if isinstance(code, int) else 0)


def _drop_output() -> None:
    """Lets what is still to be written to standard output go nowhere, without another error."""
    with open(os.devnull, "wb") as null:  # noqa: PTH123
        os.dup2(null.fileno(), 1)


def _one_line(error: click.ClickException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    return f"{message.rstrip('.')}; see {context.command_path} --help"
