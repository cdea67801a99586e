from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable
from typing import Any

import pytest

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERASDENOISE_TOKEN", raising=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_other_computers_need_a_token(command: Command, host: str):
    outcome = command("serve", "--host", host)
    assert outcome.code == 2
    assert f"--host {host}: needs a token; set KERASDENOISE_TOKEN" in outcome.only_error


def test_an_empty_token_is_none(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KERASDENOISE_TOKEN", "")
    assert "KERASDENOISE_TOKEN: is empty" in command("serve", "--host", "0.0.0.0").only_error


def test_a_taken_port_is_named(command: Command):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        outcome = command("serve", "--port", port)
    assert outcome.code == 2
    assert f"--port {port}: cannot be served" in outcome.only_error


def test_the_extra_is_named(command: Command, monkeypatch: pytest.MonkeyPatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: name != "uvicorn" and find(name, *more)
    )
    outcome = command("serve")
    assert outcome.code == 2
    assert "missing packages: uvicorn" in outcome.only_error
    assert "[serve]" in outcome.only_error
