from __future__ import annotations

import io
import sys

import pytest

from kerasdenoise.cli.report import arrow, print_error, say


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "→"), ("ascii", "->"), ("cp1252", "->")])
def test_the_arrow_is_one_that_the_terminal_can_show(
    encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert arrow() == shown


def test_an_error_is_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str]):
    print_error("two  spaces.jpg: one\ntwo")
    assert capsys.readouterr().err == "kerasdenoise: two  spaces.jpg: one two\n"


def test_without_standard_error_nothing_goes_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stderr", None)
    say("lost")
    assert capsys.readouterr().out == ""
