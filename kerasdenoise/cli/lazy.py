"""A group of commands of which only the one that is asked for is imported."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import click


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
