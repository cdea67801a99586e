from __future__ import annotations

import importlib

import click
import pytest
from click.testing import CliRunner

from kerasdenoise.cli import COMMANDS, group


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


def test_an_unknown_command_is_met_with_a_hint():
    result = CliRunner().invoke(group, ["models-list"])
    assert result.exit_code == 2
    assert "No such command" in result.output
    assert "'models'" in CliRunner().invoke(group, ["model"]).output
