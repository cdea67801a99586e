"""The HTTP service: its limits, with a stand-in for denoising, and the command as a whole."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
import uvicorn

from kerasdenoise.errors import InputError, ModelError
from kerasdenoise.web.service import OPTIONS, Denoised, Limits, Service

CLI = Path(__file__).parents[2] / "cli.py"

Answer = tuple[int, Mapping[str, str], bytes]


class Work:
    """Stands in for denoising: reverses bytes; waits at a tile while it is held."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.began = threading.Semaphore(0)
        self.ended: list[str] = []
        self.options: Mapping[str, Any] = {}

    def __call__(
        self, content: bytes, options: Mapping[str, Any], on_tile: Callable[[], None]
    ) -> Denoised:
        self.options = options
        self.began.release()
        try:
            while not self.free.wait(0.01):
                on_tile()
            if content == b"bad":
                raise InputError("the photo", "is not an image")
            if content == b"model":
                raise ModelError("tiny", "fails")
            if content == b"odd":
                raise RuntimeError("odd")
        except BaseException:
            self.ended.append("stopped")
            raise
        self.ended.append("done")
        return Denoised(content[::-1], "image/png", ("loses an ä",), 6)


@contextlib.contextmanager
def serve(work: Work, limits: Limits, token: str | None = None) -> Iterator[int]:
    app = Service(work, "tiny", limits, token).app()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            work.free.set()
            server.should_exit = True
            thread.join()


def ask(
    port: int,
    path: str = "/denoise",
    body: bytes | Iterator[bytes] | None = b"abc",
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()


def get(port: int, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    return ask(port, path, None, "GET", headers)


def in_thread(call: Callable[[], Answer]) -> tuple[threading.Thread, list[Answer]]:
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    return thread, answers


def test_a_photo_comes_back_with_notes_and_is_counted():
    work = Work()
    with serve(work, Limits()) as port:
        status, headers, content = ask(port, "/denoise?strength=0.5&bit_depth=16&metadata=none")
        assert (status, content, headers["content-type"]) == (200, b"cba", "image/png")
        assert json.loads(headers["kerasdenoise-notes"]) == ["loses an ä"]
        assert work.options == {"strength": 0.5, "bit_depth": 16, "metadata": "none"}
        metrics = get(port, "/metrics")[2].decode()
        assert json.loads(get(port, "/health")[2])["model"] == "tiny"
    samples = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line[0] != "#")
    assert samples['kerasdenoise_requests_total{status="200"}'] == "1"
    assert samples["kerasdenoise_pixels_total"] == "6"
    assert samples['kerasdenoise_photo_seconds_bucket{le="+Inf"}'] == "1"
    assert samples["kerasdenoise_photos_inside"] == "0"
    assert all(re.fullmatch(r'[a-z_]+(\{[a-z]+="[^"]+"\})?', name) for name in samples)


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/denoise", b"bad", 422, "is not an image"),
        ("/denoise", b"model", 500, "fails"),
        ("/denoise", b"odd", 500, "RuntimeError"),
        ("/denoise?strength=3", b"a", 400, "0 to 2"),
        ("/denoise?strength=nan", b"a", 400, "0 to 2"),
        ("/denoise?detail=much", b"a", 400, "0 to 1"),
        ("/denoise?bit_depth=12", b"a", 400, "8, 16, 32"),
        ("/denoise?output=/etc/passwd", b"a", 400, "is not an option"),
    ],
)
def test_what_is_rejected_is_named(path: str, body: bytes, status: int, said: str):
    with serve(Work(), Limits()) as port:
        answer = ask(port, path, body)
        assert answer[0] == status
        assert said in json.loads(answer[2])["error"]
        assert ask(port)[0] == 200


def test_uploads_are_limited_with_and_without_a_length():
    work = Work()
    with serve(work, Limits(upload=1000)) as port:
        assert ask(port, body=b"a" * 1000)[0] == 200
        assert ask(port, body=b"a" * 1001)[0] == 413
        assert ask(port, body=iter([b"a" * 600] * 2))[0] == 413  # in chunks, of unknown length
        assert "1,000 bytes" in json.loads(ask(port, body=b"a" * 1001)[2])["error"]
    assert work.ended == ["done"]


def test_more_photos_than_may_wait_are_told_to_come_again():
    work = Work()
    work.free.clear()
    with serve(work, Limits(waiting=1)) as port:
        first = in_thread(lambda: ask(port, body=b"ab"))
        assert work.began.acquire(timeout=60)
        second = in_thread(lambda: ask(port, body=b"cd"))
        while b"photos_inside 2" not in get(port, "/metrics")[2]:
            time.sleep(0.01)
        status, headers, _ = ask(port)
        assert (status, headers["retry-after"].isdigit()) == (429, True)
        assert get(port, "/health")[0] == 200
        work.free.set()
        for thread, _ in (first, second):
            thread.join()
        assert [answers[0][2] for _, answers in (first, second)] == [b"ba", b"dc"]
        assert ask(port)[0] == 200


def test_a_photo_that_takes_too_long_is_stopped_and_others_follow():
    work = Work()
    work.free.clear()
    with serve(work, Limits(seconds=0.3)) as port:
        assert ask(port)[0] == 504
        while not work.ended:
            time.sleep(0.01)
        work.free.set()
        assert ask(port)[0] == 200
    assert work.ended == ["stopped", "done"]


def test_a_slow_upload_ends_as_well():
    with serve(Work(), Limits(seconds=0.3)) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"POST /denoise HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
            assert client.recv(100).startswith(b"HTTP/1.1 504")
        assert ask(port)[0] == 200


def test_a_client_that_leaves_makes_room():
    work = Work()
    work.free.clear()
    with serve(work, Limits(waiting=0)) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST /denoise HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")
            assert work.began.acquire(timeout=60)
            assert ask(port)[0] == 429
        while b"photos_inside 0" not in get(port, "/metrics")[2] or not work.ended:
            time.sleep(0.01)
        work.free.set()
        assert ask(port)[0] == 200
    assert work.ended == ["stopped", "done"]


def test_a_token_is_asked_for():
    with serve(Work(), Limits(), token="secret") as port:
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "secret"}):
            assert ask(port, headers=headers)[0] == 401
            assert get(port, "/metrics", headers)[0] == 401
        assert ask(port, headers={"Authorization": "Bearer secret"})[0] == 200
        assert get(port, "/health")[0] == 200
        described = json.loads(get(port, "/openapi.json")[2])
    assert described["paths"]["/denoise"]["post"]["security"] == [{"token": []}]


def test_the_description_names_all_that_is_taken_and_answered():
    with serve(Work(), Limits(upload=2)) as port:
        described = json.loads(get(port, "/openapi.json")[2])
        statuses = {ask(port, "/denoise?a=b")[0], ask(port)[0], ask(port, body=b"a")[0]}
        for path, methods in described["paths"].items():
            for method in methods:
                assert ask(port, path, b"a", method.upper())[0] == 200
    post = described["paths"]["/denoise"]["post"]
    assert [each["name"] for each in post["parameters"]] == list(OPTIONS)
    assert statuses == {400, 413, 200}
    assert {str(status) for status in statuses} <= post["responses"].keys()


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_the_command_writes_what_denoise_writes(
    cli_environment: dict[str, str],
    run_cli: Callable[..., subprocess.CompletedProcess],
    write_photo: Callable[..., Path],
    tmp_path: Path,
):
    photo = write_photo("a.jpg")
    process = subprocess.Popen(
        [sys.executable, str(CLI), "serve", "--port", "0"],
        cwd=tmp_path,
        env=cli_environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        found = re.search(r"tiny: http://127\.0\.0\.1:(\d+)/denoise", process.stderr.readline())
        port = int(found[1])
        status, _, content = ask(port, "/denoise?strength=0.5", photo.read_bytes())
        assert status == 200
        assert ask(port, "/denoise?bit_depth=16", photo.read_bytes())[0] == 422  # JPEG has 8
        assert run_cli("denoise", "a.jpg", "-s", "0.5", "-o", "b.jpg").returncode == 0
        assert content == (tmp_path / "b.jpg").read_bytes()
    finally:
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    assert (process.returncode, rest.strip()) == (0, "stopped")
    assert {path.name for path in tmp_path.iterdir()} == {"a.jpg", "b.jpg"}
