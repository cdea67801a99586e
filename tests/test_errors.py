from __future__ import annotations

import click
import numpy as np
import pytest

from kerasdenoise import cli
from kerasdenoise.errors import describe_unexpected


def test_an_unexpected_error_prints_one_short_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    @click.command()
    def fail() -> None:
        raise ValueError(f"cannot take {list(np.zeros(10_000))}")

    monkeypatch.setattr(cli, "group", fail)
    monkeypatch.setattr("sys.argv", ["kerasdenoise"])
    with pytest.raises(SystemExit):
        cli.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kerasdenoise: unexpected ValueError: cannot take [")
    assert line.endswith("run it again with -vv and report the output")
    assert len(line) < 450


def test_an_error_without_text_says_so():
    assert describe_unexpected(KeyboardInterrupt()) == "KeyboardInterrupt: no message"
