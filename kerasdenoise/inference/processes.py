"""Runs a model's file in a process of its own, which may crash without ending this one."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import numpy as np

from kerasdenoise.errors import ModelError

Answer = TypeVar("Answer")

_PACKAGE = Path(__file__).resolve().parents[2]


class Model(Protocol):
    """What runs a file: named float32 arrays in, named float32 arrays out."""

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs it once."""
        ...

    def release(self) -> None:
        """Frees the memory of the last call."""
        ...


class TileError(ModelError):
    """A tile that a model cannot run on: it has a wrong shape or does not fit into memory.

    LiteRT does not tell which.
    """


class Child:
    """A process that runs a model's file, and that may crash without ending this one.

    Args:
        path: The file.
        module: The module to run, which calls `serve`.
        *words: Its further arguments.
        limit: Seconds until a process that does not answer is ended; None for no limit.
    """

    def __init__(self, path: Path, module: str, *words: str, limit: float | None = None) -> None:
        self._path = path
        self._limit = limit
        self._is_late = False
        paths = [str(_PACKAGE), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, str(path.absolute()), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            # Only the parent handles interruptions.
            start_new_session=True,
        )
        weakref.finalize(self, _end, self.process)

    def ask(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Sends arrays, and returns those of the answer.

        Raises:
            TileError: The model cannot run on these arrays.
            ModelError: It cannot run at all, or the process has ended.
        """
        return self._watch(functools.partial(self._ask, arrays))

    def greet(self) -> dict[str, Any]:
        """Returns the first answer of the process, which comes before it is asked.

        Raises:
            ModelError: As `ask`.
        """
        return self._watch(self._receive)[0]

    def _ask(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # the child has ended; `_receive` reports it
            _send(self.process.stdin, {}, arrays)
        return self._receive()[1]

    def _watch(self, step: Callable[[], Answer]) -> Answer:
        """Takes a step, and ends the process if that takes too long."""
        if self._limit is None:
            return step()
        timer = threading.Timer(self._limit, self._end_late)
        timer.start()
        try:
            return step()
        finally:
            timer.cancel()

    def _end_late(self) -> None:
        self._is_late = True
        self.process.kill()

    def _receive(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        assert self.process.stdout is not None
        try:
            answer, arrays = _read(self.process.stdout)
        except (EOFError, OSError, ValueError) as error:
            _end(self.process)
            code = _describe(self.process.returncode)
            late = f"did not answer within {self._limit} seconds"
            raise ModelError(
                self._path,
                late if self._is_late else f"crashed the process that ran it ({code})",
                "do not use it; if it is your own, export it again",
            ) from error
        if "cause" in answer:
            kind = TileError if answer["is_tile"] else ModelError
            raise kind(self._path, answer["cause"], answer["remedy"])
        return answer, arrays


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):  # it ended with unread output
                stream.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _describe(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _send(stream: IO[bytes], facts: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Sends a line of JSON, then the numbers of the arrays."""
    shapes = {name: array.shape for name, array in arrays.items()}
    stream.write(json.dumps({**facts, "arrays": shapes}).encode() + b"\n")
    for array in arrays.values():
        stream.write(np.ascontiguousarray(array, np.float32).data)
    stream.flush()


def _read(stream: IO[bytes]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    line = stream.readline()
    if not line:
        raise EOFError
    facts = json.loads(line)
    # Only numbers, never objects: the other side may have been taken over.
    arrays = {name: np.empty(shape, np.float32) for name, shape in facts["arrays"].items()}
    for array in arrays.values():
        if stream.readinto(array.reshape(-1).view(np.uint8)) < array.nbytes:  # type: ignore[attr-defined]
            raise EOFError
    return facts, arrays


def serve(open_model: Callable[[], tuple[Model, dict[str, Any]]]) -> None:
    """Runs a model for the parent process until it closes the pipe.

    Args:
        open_model: Opens the model, and gives the first answer.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries may print
    try:
        engine, facts = open_model()
    except ModelError as error:
        _send(answers, _as_facts(error), {})
        return
    _send(answers, facts, {})
    while True:
        try:
            _, inputs = _read(sys.stdin.buffer)
        except EOFError:
            return
        try:
            results = engine(inputs) if inputs else engine.release() or {}
        except ModelError as error:
            _send(answers, _as_facts(error), {})
        else:
            _send(answers, {}, results)


def _as_facts(error: ModelError) -> dict[str, object]:
    is_tile = isinstance(error, TileError)
    return {"cause": error.cause, "remedy": error.remedy, "is_tile": is_tile}
