"""What each network of the leaderboard costs, as a LiteRT file on one core."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

_SIDE = 256
_REPEATS = 5


def measure_cost(architecture: str, values: dict[str, Any]) -> dict[str, float]:
    """Builds a network with its first weights, and measures its file.

    Returns:
        `parameters`; `mac_per_pixel`; `milliseconds` of processor time for a color image of
        256x256 pixels on one thread, the least of several; `bytes_per_pixel`, by which peak
        memory grows.
    """
    from kerasdenoise.evaluation.costs import time_in_turns
    from kerasdenoise.export.litert import export_litert, measure_footprint
    from kerasdenoise.inference.engines import LiteRTEngine
    from kerasdenoise.models import get_architecture, mac_per_pixel, make_config

    config = make_config(architecture, values)
    network = get_architecture(architecture).build(config)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        export_litert(network, file)
        engine = LiteRTEngine(file, threads=1)
        given = {
            name: np.full((1, _SIDE, _SIDE, shape[-1]), 0.1, np.float32)
            for name, shape in engine.input_shapes.items()
        }
        # Of the process, so that other work on the machine does not count.
        run = partial(engine, given)
        times = time_in_turns({"network": lambda: run}, _REPEATS, clock=time.process_time)
        footprint = measure_footprint(file, config.stride)
    return {
        "parameters": sum(int(np.prod(each.shape)) for each in network.trainable_variables),
        "mac_per_pixel": mac_per_pixel(network, config.stride),
        "milliseconds": 1000 * min(times["network"]),
        "bytes_per_pixel": footprint,
    }
