"""A network as files that run without Keras, and what has to be known to run them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.export.litert import write_litert
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.inference.tiles import PART, fit_part
from kerasdenoise.models import Config, get_parts

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
    parts = get_parts(denoiser)
    has_context = parts.context is not None
    estimates_level = parts.noise_level is not None
    files, part = ["model"], PART
    if has_context:
        files = ["tile"]
        part = fit_part(measure_footprint(folder / "context.tflite", config.stride))
    if estimates_level:
        files = ["tile", "level"]  # both are held while tiles are denoised
    return {
        "channels": config.channels,
        "stride": config.stride,
        "radius": config.radius,
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
