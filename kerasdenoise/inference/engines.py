"""Runs a model file with LiteRT or onnxruntime, which need neither TensorFlow nor Keras.

LiteRT trusts the content of a file, so a malicious one can crash the process. An unknown file runs
in a child process, and only that crashes, which is reported as an error. This is not a sandbox:
code that takes over the child can do whatever the user can.

python -m kerasdenoise.inference.engines MODEL.tflite THREADS
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.runtime import quiet_stderr, usable_cores
from kerasdenoise.zoo import ModelInfo

_TYPES = (np.float32, np.uint8)

_PACKAGE = Path(__file__).resolve().parents[2]

ONNX_OUTPUT = "denoised"
"""The name of an ONNX file's output."""


class TileError(ModelError):
    """A tile that a model cannot run on: it has a wrong shape or does not fit into memory.

    LiteRT does not tell which.
    """


class LiteRTEngine:
    """Runs a `.tflite` file on the CPU: named arrays in, named arrays out.

    Args:
        path: A model of float32 or uint8 tensors, whose input `noisy` is (1, H, W, C). Tensors
            that are uint8 in the file are float32 here, and are converted.
        threads: Number of threads; all usable cores by default.

    Attributes:
        inputs: The names of its inputs.
        input_shapes: Their shapes, with -1 for any size.

    Raises:
        ModelError: The file cannot be read or is not such a model.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.path = path
        self.threads = threads or usable_cores()
        try:
            # Read here rather than by path: LiteRT cannot open every file name.
            self._content = path.read_bytes()
        except OSError as error:
            raise self._error(f"cannot be read ({error.strerror})", "check the path") from error
        try:
            self._interpreter = self._interpret()
        except (ValueError, RuntimeError) as error:
            raise self._error("is not a LiteRT model", "export the model again") from error
        try:
            signature = self._interpreter.get_signature_runner()
            inputs, outputs = signature.get_input_details(), signature.get_output_details()
        except ValueError:  # it has none, or several
            inputs, outputs = {}, {}
        if (
            "noisy" not in inputs
            or len(inputs["noisy"]["shape"]) != 4
            or not outputs
            or any(d["dtype"] not in _TYPES for d in (*inputs.values(), *outputs.values()))
        ):
            raise self._error(
                "is not part of a denoiser: it must take a float32 or uint8 (1, H, W, C) tensor "
                "'noisy'",
                "export the model again",
            )
        self.inputs = tuple(inputs)
        self.input_shapes = {name: d["shape_signature"].tolist() for name, d in inputs.items()}
        self._input_indices = {name: detail["index"] for name, detail in inputs.items()}
        self._output_indices = {name: detail["index"] for name, detail in outputs.items()}
        # (scale, zero) of each tensor of integers; a scale of 0 is none.
        self._scales = {
            d["index"]: d["quantization"] for d in (*inputs.values(), *outputs.values())
        }
        self._shapes: dict[str, tuple[int, ...]] = {}

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the model once.

        Args:
            inputs: A float32 array for each input. Consecutive calls with the same shapes are
                cheapest: a new shape reallocates.

        Returns:
            A float32 array for each output.

        Raises:
            TileError: The model cannot run on these shapes, or memory fails.
        """
        try:
            shapes = {name: inputs[name].shape for name in self.inputs}
            if shapes != self._shapes:
                self._allocate(shapes)
            for name in self.inputs:
                index = self._input_indices[name]
                self._interpreter.set_tensor(index, self._quantize(index, inputs[name]))
            self._interpreter.invoke()
        except (RuntimeError, ValueError, MemoryError) as error:
            self._shapes = {}
            raise TileError(
                self.path,
                f"cannot run on a tile of {'x'.join(map(str, inputs['noisy'].shape[1:]))}",
                "free some memory, or export the model again",
            ) from error
        return {
            name: self._dequantize(index, self._interpreter.get_tensor(index))
            for name, index in self._output_indices.items()
        }

    def release(self) -> None:
        """Frees the memory that LiteRT keeps for the next call."""
        self._interpreter = self._interpret()
        self._shapes = {}

    def _interpret(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        with quiet_stderr():
            return Interpreter(model_content=self._content, num_threads=self.threads)

    def _quantize(self, index: int, values: np.ndarray) -> np.ndarray:
        scale, zero = self._scales[index]
        if not scale:
            return values
        return np.clip(np.rint(values / np.float32(scale)) + zero, 0, 255).astype(np.uint8)

    def _dequantize(self, index: int, values: np.ndarray) -> np.ndarray:
        scale, zero = self._scales[index]
        return (values.astype(np.float32) - zero) * np.float32(scale) if scale else values

    def _allocate(self, shapes: dict[str, tuple[int, ...]]) -> None:
        # Before its first resize a dynamic model has no valid size to be allocated at.
        with quiet_stderr():
            for name, shape in shapes.items():
                self._interpreter.resize_tensor_input(self._input_indices[name], shape)
            self._interpreter.allocate_tensors()
        self._shapes = shapes

    def _error(self, cause: str, remedy: str) -> ModelError:
        return ModelError(self.path, cause, remedy)


class OnnxEngine:
    """Runs an ONNX file on the CPU: named arrays in, named arrays out.

    Args:
        path: A file that `export --onnx` wrote.
        threads: Number of threads; all usable cores by default.

    Attributes:
        input_shapes: The shape (1, C, H, W) of each input, with -1 for any size.
        output_shapes: The same of each output.

    Raises:
        ModelError: The file cannot be read or run.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime

        self.path = path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common class
            reason = str(error).splitlines()[0]
            raise ModelError(path, f"cannot be run ({reason})", "export it again") from error
        self.input_shapes = _list_shapes(self._session.get_inputs())
        self.output_shapes = _list_shapes(self._session.get_outputs())

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the model once.

        Args:
            inputs: A float32 array (1, height, width, channels) for each input.

        Returns:
            The output, float32 (1, height, width, channels), by its name.

        Raises:
            TileError: The model cannot run on these shapes, or memory fails.
        """
        planes = {
            name: np.ascontiguousarray(np.moveaxis(values, -1, 1))
            for name, values in inputs.items()
        }
        try:
            (denoised,) = self._session.run([ONNX_OUTPUT], planes)
        except Exception as error:  # as above
            shape = "x".join(map(str, inputs["noisy"].shape[1:]))
            raise TileError(
                self.path,
                f"cannot run on a tile of {shape}",
                "free some memory, or export it again",
            ) from error
        return {ONNX_OUTPUT: np.moveaxis(np.asarray(denoised), 1, -1)}


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


def _list_shapes(tensors: Sequence[Any]) -> dict[str, list[int]]:
    return {
        each.name: [size if isinstance(size, int) else -1 for size in each.shape]
        for each in tensors
    }


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
