"""A network as files that run without Keras, and what has to be known to run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from kerasdenoise.export.context import split_context
from kerasdenoise.export.footprint import measure_footprint
from kerasdenoise.export.litert import write_litert
from kerasdenoise.inference.tiles import PART, fit_part
from kerasdenoise.models import Config, split_noise_level


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
    has_context = split_context(denoiser) is not None
    estimates_level = split_noise_level(denoiser) is not None
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
