from __future__ import annotations

import importlib

import click
import pytest
from click.testing import CliRunner

from kerasdenoise.cli import COMMANDS, SECTIONS, LazyGroup, group


@pytest.mark.parametrize("name", COMMANDS)
def test_a_listed_command_is_there_and_says_of_itself_what_the_list_says(name: str):
    command = importlib.import_module(f"kerasdenoise.cli.{name}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.get_short_help_str(limit=80) == COMMANDS[name]


def test_help_lists_all_commands():
    result = CliRunner().invoke(group, ["-h"])
    assert result.exit_code == 0
    for name, summary in COMMANDS.items():
        assert f"  {name}" in result.output
        assert summary in result.output


def test_help_lists_each_command_once_in_a_section():
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)
    lines = CliRunner().invoke(group, ["--help"]).output.splitlines()
    for title, names in SECTIONS.items():
        start = lines.index(f"{title}:") + 1
        assert [line.split()[0] for line in lines[start : start + len(names)]] == list(names)


def test_a_command_in_no_section_is_listed_all_the_same():
    other = LazyGroup(package="kerasdenoise.cli", summaries=COMMANDS, sections={"A": ("info",)})
    output = CliRunner().invoke(other, ["--help"]).output
    assert output.index("A:") < output.index("info") < output.index("Commands:")
    assert output.index("Commands:") < output.index("denoise")


def test_an_unknown_command_is_met_with_a_hint():
    result = CliRunner().invoke(group, ["models-list"])
    assert result.exit_code == 2
    assert "No such command" in result.output
    assert "'models'" in CliRunner().invoke(group, ["model"]).output


@pytest.mark.parametrize(
    "words",
    [
        [],
        *([name] for name in COMMANDS),
        *(["models", name] for name in ("list", "show", "verify", "devices")),
        ["tune", "lambda"],
        ["tune", "report"],
    ],
    ids=" ".join,
)
def test_every_help_begins_with_an_example_and_fits_a_screen(words: list[str]):
    result = CliRunner().invoke(group, [*words, "--help"], prog_name="kerasdenoise")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[4].startswith(f"      {' '.join(['kerasdenoise', *words])} ".rstrip())
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 45
