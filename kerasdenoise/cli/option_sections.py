"""Commands whose help groups options by purpose, rarely needed ones last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_REST = "Other"


class SectionOption(click.Option):
    """An option in a section of its command's help.

    Args:
        *args: Arguments of `click.Option`.
        section: The section's title.
        **attrs: Arguments of `click.Option`.
    """

    def __init__(self, *args: Any, section: str = _REST, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help lists its options by section; options without one come last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the sections."""
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        sections: dict[str, list[tuple[str, str]]] = {}
        for option in sorted(options, key=lambda each: _section_of(each) == _REST):
            record = option.get_help_record(ctx)
            if record is not None:
                sections.setdefault(_section_of(option), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _section_of(option: click.Option) -> str:
    return option.section if isinstance(option, SectionOption) else _REST


def section(title: str) -> Callable[..., Callable[..., Any]]:
    """Returns a `click.option` for a section with this title."""

    def option(*names: str, **attrs: Any) -> Callable[..., Any]:
        return click.option(*names, cls=SectionOption, section=title, **attrs)

    return option
