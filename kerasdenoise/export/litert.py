"""LiteRT files, the proof that they compute what the network does, and the memory they need."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.engines import LiteRTEngine, OnnxEngine
from kerasdenoise.inference.tiles import PART, fit_part
from kerasdenoise.models import Config, detail_ddim, get_parts
from kerasdenoise.models._parts import find_detail
from kerasdenoise.runtime import quiet_stderr

# Largest difference, on the [0, 1] scale, that rounding in another order explains.
TOLERANCE = 1e-4

# Two sizes of tile, of which the difference is the tile's alone.
_SIDES = (256, 640)

# A process's peak starts at what its parent holds, which may be much: one in between that holds
# little.
_BETWEEN = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"

# A peak cannot be reset, so that the larger tile comes second.
_PROGRAM = """
import json, resource, sys
from pathlib import Path
import numpy as np
from kerasdenoise.inference.engines import LiteRTEngine

engine = LiteRTEngine(Path(sys.argv[1]), threads=1)
shapes, peaks = json.loads(sys.argv[2]), []
for each in shapes:
    engine({name: np.ones(shape, np.float32) for name, shape in each.items()})
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(json.dumps(peaks))
"""


def write_litert(denoiser: keras.Model, folder: Path, stride: int) -> float:
    """Writes all LiteRT files of a network, and compares each with it.

    These are `model.tflite`, which denoises a whole image, and for a network of parts
    `tile.tflite`, which denoises a tile by what a third file tells it: `context.tflite`
    the statistics of the whole image, or `level.tflite` the level of the noise. If the network
    adds detail, `tile.tflite` gives the mean, and `detail.tflite` what is added.

    Args:
        denoiser: A functional model of images (batch, height, width, channels).
        folder: Where the files go.
        stride: What height and width are multiples of.

    Returns:
        The largest difference found, relative to values above 1.

    Raises:
        ModelError: If the network needs an operation that LiteRT does not have, or a file
            computes something else, or it has a global context and estimates the noise level.
    """
    networks = {"model": denoiser}
    parts = get_parts(denoiser)
    if parts.context and parts.noise_level:
        raise ModelError(
            denoiser.name,
            "uses the whole image and estimates the noise level, which cannot be combined",
            "build it with only one of them",
        )
    if parts.context:
        networks["context"] = parts.context
    if parts.noise_level:
        networks["level"] = parts.noise_level
    if parts.tile is not denoiser:
        networks["tile"] = parts.tile
    if (detail := find_detail(denoiser)) is not None:
        networks["detail"] = detail
    differences = []
    for name, network in networks.items():
        path = folder / f"{name}.tflite"
        export_litert(network, path)
        differences.append(check_parity(network, path, stride))
    return max(differences)


def export_litert(network: keras.Model, target: Path, **options: Any) -> None:
    """Writes a `.tflite` with dynamic height and width, float32 unless options say otherwise.

    Only LiteRT's own operations are allowed: a file that needed TensorFlow's would not run
    where there is no TensorFlow.

    Args:
        network: A functional model of images (batch, height, width, channels).
        target: The file to write; its name ends in `.tflite`.
        **options: Settings of TensorFlow's converter.

    Raises:
        ModelError: If the network needs an operation that LiteRT does not have.
    """
    options = {"target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}, **options}
    # One image at a time: a dynamic batch would keep LiteRT from planning its memory.
    signature = [
        keras.InputSpec("float32", (1, *tensor.shape[1:]), name=tensor.name)
        for tensor in network.inputs
    ]
    try:
        with quiet_stderr():
            network.export(
                target,
                format="litert",
                input_signature=signature if len(signature) == 1 else [signature],
                verbose=False,
                **options,
            )
    except Exception as error:
        raise ModelError(
            network.name,
            f"cannot be converted to LiteRT ({str(error).splitlines()[0]})",
            "use LiteRT's own operations",
        ) from error


def check_parity(
    network: keras.Model,
    path: Path,
    stride: int,
    sizes: Sequence[tuple[int, int]] = ((1, 1), (4, 9), (8, 8)),
    tolerance: float = TOLERANCE,
) -> float:
    """Compares a `.tflite` or `.onnx` with its network on noise-like images of several sizes.

    Args:
        network: The network.
        path: The file made of it.
        stride: What height and width are multiples of.
        sizes: Heights and widths of the images, in strides.
        tolerance: The largest difference that is allowed.

    Returns:
        The largest difference found, relative to values above 1.

    Raises:
        ModelError: If it exceeds the tolerance.
    """
    engine = open_engine(path)
    names = [tensor.name for tensor in network.inputs]
    rng = np.random.default_rng(0)
    largest = 0.0
    for rows, columns in sizes:
        arrays = [
            rng.random(_fill(tensor.shape, rows * stride, columns * stride), np.float32)
            for tensor in network.inputs
        ]
        with warnings.catch_warnings(action="ignore"):  # of a softmax over a single pixel
            expected = network(arrays if len(arrays) > 1 else arrays[0], training=False)
        computed = engine(dict(zip(names, arrays, strict=True)))
        if not isinstance(expected, dict):
            expected = {next(iter(computed)): expected}
        for name, values in expected.items():
            values = keras.ops.convert_to_numpy(values)
            # Relative where values are large, as the weights of statistics may be.
            difference = np.abs(computed[name] - values) / np.maximum(1, np.abs(values))
            # NumPy's maximum, unlike Python's, lets what is not a number through to the check.
            largest = float(np.maximum(largest, difference.max()))
    if not largest <= tolerance:
        raise ModelError(path, f"differs from the network by {largest:.2g}", "report this")
    return largest


def open_engine(path: Path) -> LiteRTEngine | OnnxEngine:
    """Opens a `.tflite` or `.onnx` file in the engine that runs it.

    Raises:
        ModelError: It cannot be read.
    """
    return OnnxEngine(path) if path.suffix == ".onnx" else LiteRTEngine(path)


def _fill(shape: tuple[int | None, ...], height: int, width: int) -> tuple[int, ...]:
    """A shape with one image of this size; a statistic of an image has no size."""
    sizes = {1: height, 2: width}
    return (1, *(size or sizes[axis] for axis, size in enumerate(shape) if axis))


def write_runnable(denoiser: keras.Model, config: Config, folder: Path) -> dict[str, Any]:
    """Writes the LiteRT files of a network.

    Args:
        denoiser: The network.
        config: What it was built from.
        folder: Where the files go.

    Returns:
        The entries of `metadata.json` that `zoo.ModelInfo` says of how to run it, and
        `litert_difference`, how far the files are from the network.

    Raises:
        ModelError: If LiteRT cannot run the network, or a file computes something else.
    """
    difference = write_litert(denoiser, folder, config.stride)
    parts, detail = get_parts(denoiser), {}
    has_context = parts.context is not None
    estimates_level = parts.noise_level is not None
    files, part = ["model"], PART
    if has_context:
        files = ["tile"]
        part = fit_part(measure_footprint(folder / "context.tflite", config.stride))
    if estimates_level:
        files = ["tile", "level"]  # both are held while tiles are denoised
    if isinstance(config, detail_ddim.Config):
        files = [*({"tile"} | {*files} - {"model"}), "detail"]
        detail = {"mean_radius": config.mean_radius}
    return {
        "channels": config.channels,
        "stride": config.stride,
        "radius": config.radius,
        **detail,
        "global_context": has_context,
        "noise_level": config.noise_level,
        "estimates_level": estimates_level,
        "part": part,
        "bytes_per_pixel": sum(
            measure_footprint(folder / f"{file}.tflite", config.stride) for file in files
        ),
        "litert_difference": difference,
    }


def measure_footprint(path: Path, stride: int) -> int:
    """Measures the memory of a LiteRT file, in bytes per pixel of a tile.

    The file is run in a process of its own on two sizes of tile, of which the peaks of resident
    memory are compared.

    Args:
        path: A file that `write_litert` wrote.
        stride: What height and width are multiples of.

    Returns:
        The bytes, or 1 on Windows, which does not say.

    Raises:
        ModelError: If it cannot be run.
    """
    if sys.platform == "win32":
        return 1
    sides = [-(-side // stride) * stride for side in _SIDES]
    given = LiteRTEngine(path).input_shapes
    shapes = [
        {name: [side if size < 0 else size for size in shape] for name, shape in given.items()}
        for side in sides
    ]
    program = [sys.executable, "-c", _PROGRAM, str(path), json.dumps(shapes)]
    command = [sys.executable, "-c", _BETWEEN, *program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ModelError(path, "cannot be run", f"report this: {result.stderr.strip()[-200:]}")
    small, large = json.loads(result.stdout)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return max(1, round((large - small) * unit / (sides[1] ** 2 - sides[0] ** 2)))
