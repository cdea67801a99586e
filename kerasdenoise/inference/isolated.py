"""Runs an unknown model file in a child process.

LiteRT trusts the file's content, so a malicious file can crash the process. Here only the child
crashes, which is reported as an error. This is not a sandbox: code that takes over the child can do
whatever the user can.

python -m kerasdenoise.inference.isolated MODEL.tflite THREADS
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.engines import LiteRTEngine, TileError
from kerasdenoise.runtime import usable_cores
from kerasdenoise.zoo import ModelInfo

_PACKAGE = Path(__file__).resolve().parents[2]


class IsolatedEngine:
    """A `LiteRTEngine` in a child process.

    Args:
        path: As for `LiteRTEngine`.
        threads: As for `LiteRTEngine`.

    Attributes:
        inputs: The names of its inputs.
        input_shapes: Their shapes, with -1 for any size.

    Raises:
        ModelError: The file cannot be read, is not such a model, or crashed its process.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.path = path
        self.threads = threads or usable_cores()
        paths = [str(_PACKAGE), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(path.absolute()), str(self.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            # Only the parent handles interruptions.
            start_new_session=True,
        )
        weakref.finalize(self, _end, self._process)
        answer = self._receive()[0]
        self.inputs = tuple(answer["inputs"])
        self.input_shapes: dict[str, list[int]] = answer["input_shapes"]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the model once; see `LiteRTEngine`."""
        return self._ask({name: inputs[name] for name in self.inputs})

    def release(self) -> None:
        """Frees the memory of the last call."""
        self._ask({})

    def _ask(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # the child has ended; `_receive` reports it
            _send(self._process.stdin, {}, arrays)
        return self._receive()[1]

    def _receive(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        assert self._process.stdout is not None
        try:
            answer, arrays = _read(self._process.stdout)
        except (EOFError, OSError, ValueError) as error:
            _end(self._process)
            raise ModelError(
                self.path,
                f"crashed the process that ran it ({_describe(self._process.returncode)})",
                "do not use it; if it is your own, export it again",
            ) from error
        if "cause" in answer:
            kind = TileError if answer["is_tile"] else ModelError
            raise kind(self.path, answer["cause"], answer["remedy"])
        return answer, arrays


def open_engine(
    info: ModelInfo, path: Path, threads: int | None = None
) -> LiteRTEngine | IsolatedEngine:
    """Opens a file of a model: in this process only if an index has a record of the file.

    Args:
        info: The model. `verify_model` has checked its recorded files.
        path: The file, in the model's folder.
        threads: As for `LiteRTEngine`.

    Raises:
        ModelError: See `LiteRTEngine` and `IsolatedEngine`.
    """
    is_recorded = path.relative_to(info.folder).as_posix() in (info.files or {})
    return (LiteRTEngine if is_recorded else IsolatedEngine)(path, threads)


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


def _serve(path: Path, threads: int) -> None:
    """Runs a model for the parent process until it closes the pipe."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries may print
    try:
        engine = LiteRTEngine(path, threads)
    except ModelError as error:
        _send(answers, _as_facts(error), {})
        return
    _send(answers, {"inputs": engine.inputs, "input_shapes": engine.input_shapes}, {})
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


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
