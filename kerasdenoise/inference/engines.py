"""Runs a model file with LiteRT, which needs neither TensorFlow nor Keras."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.runtime import quiet_stderr, usable_cores

_TYPES = (np.float32, np.uint8)


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
