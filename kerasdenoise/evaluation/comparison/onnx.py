"""The same network in another engine, onnxruntime, where it and a converter are installed."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.evaluation.comparison.pictures import make_noisy
from kerasdenoise.evaluation.comparison.subjects import Run, Task

PACKAGES = ("onnxruntime", "tf2onnx")
_OPSET = 17


def has_onnxruntime() -> bool:
    """Whether the engine and the converter are installed."""
    return all(importlib.util.find_spec(name) for name in PACKAGES)


def convert(source: Path, target: Path) -> None:
    """Converts a LiteRT file of one image of any size to ONNX, in a process of its own.

    Raises:
        ModelError: It cannot be converted.
    """
    options = ["--tflite", str(source), "--output", str(target), "--opset", str(_OPSET)]
    command = [sys.executable, "-m", "tf2onnx.convert", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode or not target.is_file():
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelError(source, f"tf2onnx cannot convert it ({reason})")


@dataclass(frozen=True)
class OnnxFile:
    """A network of which only the speed on a tile is of interest; see `Subject`.

    Attributes:
        path: An ONNX file of one image (1, H, W, channels).
        title: What tables call it.
        channels: Of the image.
        shape: Height and width of the single tile.
        task: What it does.
    """

    path: Path
    title: str
    channels: int
    shape: tuple[int, int]
    task: Task

    photo = None
    network = None
    network_pixels = 0

    @property
    def size(self) -> int:
        """See `Subject`."""
        return self.path.stat().st_size

    def tile(self) -> Run:
        """See `Subject`."""
        engine: Any = importlib.import_module("onnxruntime")
        options = engine.SessionOptions()
        options.intra_op_num_threads = self.task.threads
        session = engine.InferenceSession(
            str(self.path), options, providers=["CPUExecutionProvider"]
        )
        noisy = make_noisy(*self.shape)[np.newaxis, ..., : self.channels] / np.float32(255)
        return partial(session.run, None, {session.get_inputs()[0].name: noisy})

    def pictures(self) -> None:
        """See `Subject`; what it gives is what the LiteRT file gives."""
