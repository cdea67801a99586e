"""Runs a model file with LiteRT or onnxruntime, which need neither TensorFlow nor Keras.

LiteRT trusts the content of a file, so a malicious one can crash the process. An unknown file runs
in a child process, and only that crashes, which is reported as an error. This is not a sandbox:
code that takes over the child can do whatever the user can.

python -m kerasdenoise.inference.engines MODEL.tflite THREADS
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.processes import Child, TileError, serve
from kerasdenoise.runtime import quiet_stderr, usable_cores
from kerasdenoise.zoo import ModelInfo

_TYPES = (np.float32, np.uint8)

ONNX_OUTPUT = "denoised"
"""The name of an ONNX file's output."""


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
        self._child = Child(path, __name__, str(self.threads))
        answer = self._child.greet()
        self.inputs = tuple(answer["inputs"])
        self.input_shapes: dict[str, list[int]] = answer["input_shapes"]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the model once; see `LiteRTEngine`."""
        return self._child.ask({name: inputs[name] for name in self.inputs})

    def release(self) -> None:
        """Frees the memory of the last call."""
        self._child.ask({})


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


def _open(path: Path, threads: int) -> tuple[LiteRTEngine, dict[str, Any]]:
    engine = LiteRTEngine(path, threads)
    return engine, {"inputs": engine.inputs, "input_shapes": engine.input_shapes}


if __name__ == "__main__":
    serve(functools.partial(_open, Path(sys.argv[1]), int(sys.argv[2])))
