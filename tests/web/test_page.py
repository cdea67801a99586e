"""The page's server: connections that say nothing, too many of them, and browsers that go away."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from kerasdenoise.web import page as module
from kerasdenoise.web.page import Resource, serve_page


@pytest.fixture
def port() -> Iterator[int]:
    large = Resource("text/plain", bytes(50_000_000))
    with serve_page({"/": Resource("text/plain", b"page"), "/large": large}, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ask(port: int) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("GET", "/")
    try:
        return connection.getresponse().read()
    finally:
        connection.close()


def test_a_connection_that_says_nothing_ends(port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module._Handler, "timeout", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=300) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\n")
        assert silent.recv(100) == b""  # closed by the other side
    assert ask(port) == b"page"


def test_so_many_connections_are_answered_and_no_more(port: int):
    silent = [
        socket.create_connection(("127.0.0.1", port), timeout=300)
        for _ in range(module._CONNECTIONS + 20)
    ]
    time.sleep(0.3)
    assert threading.active_count() <= module._CONNECTIONS + 10
    assert silent[-1].recv(100) == b""
    for each in silent:
        each.close()
    for _ in range(3000):  # until their threads have ended
        try:
            assert ask(port) == b"page"
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer any more")


def test_a_browser_that_goes_away_leaves_no_traceback(
    port: int, capsys: pytest.CaptureFixture[str]
):
    for _ in range(3):
        connection = socket.create_connection(("127.0.0.1", port), timeout=300)
        host = f"127.0.0.1:{port}".encode()
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        connection.recv(1000)
        # It is reset rather than closed.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    time.sleep(0.5)
    assert capsys.readouterr().err == ""
    assert ask(port) == b"page"
