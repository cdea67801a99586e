"""What runs a model file. LiteRT needs neither TensorFlow nor Keras."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.runtime import quiet_stderr


def usable_cores() -> int:
    """The cores that this process may run on, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LiteRTEngine:
    """Runs a `.tflite` denoiser on the CPU.

    Args:
        path: A model with one float32 input (1, H, W, C) and one output of the same shape.
        threads: Threads to use; all usable cores by default.

    Raises:
        ModelError: The file cannot be read or is not such a model.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.path = path
        self.threads = threads or usable_cores()
        try:
            # Read here rather than by path: LiteRT cannot open every file name.
            content = path.read_bytes()
        except OSError as error:
            raise self._error(f"cannot be read ({error.strerror})", "check the path") from error
        try:
            with quiet_stderr():
                self._interpreter: Any = Interpreter(
                    model_content=content, num_threads=self.threads
                )
        except (ValueError, RuntimeError) as error:
            raise self._error("not a LiteRT model", "export the model again") from error
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if not (len(inputs) == len(outputs) == 1) or any(
            len(tensor["shape"]) != 4 or tensor["dtype"] != np.float32
            for tensor in (*inputs, *outputs)
        ):
            raise self._error(
                "not a denoiser: it must map one float32 (1, H, W, C) tensor to another",
                "export the model again",
            )
        self._input = inputs[0]["index"]
        self._output = outputs[0]["index"]
        self._shape: tuple[int, ...] | None = None

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Denoises one tile.

        Args:
            batch: Float32 (1, H, W, C), with H and W multiples of the model's stride.
                Consecutive calls with one shape are cheapest: a new shape reallocates.

        Returns:
            Float32 of the same shape, not clipped.

        Raises:
            ModelError: The model cannot run on this shape, or gives another one.
        """
        try:
            if batch.shape != self._shape:
                self._allocate(batch.shape)
            self._interpreter.set_tensor(self._input, batch)
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            self._shape = None
            raise self._error(
                f"cannot run on a tile of {'x'.join(map(str, batch.shape[1:]))}",
                "choose another --tile, or export the model again",
            ) from error
        denoised = self._interpreter.get_tensor(self._output)
        if denoised.shape != batch.shape:
            raise self._error(
                f"gives {denoised.shape} for a tile of {batch.shape}", "export the model again"
            )
        return denoised

    def _allocate(self, shape: tuple[int, ...]) -> None:
        # Before its first resize a dynamic model has no valid size to be allocated at.
        with quiet_stderr():
            self._interpreter.resize_tensor_input(self._input, shape)
            self._interpreter.allocate_tensors()
        self._shape = shape

    def _error(self, cause: str, remedy: str) -> ModelError:
        return ModelError(self.path, cause, remedy)
