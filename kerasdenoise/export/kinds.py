"""What a LiteRT file may compute with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasdenoise.errors import ModelError
from kerasdenoise.export.litert import export_litert
from kerasdenoise.export.quantize import write_int8
from kerasdenoise.export.variant import Kind

# Those whose scales are set by what the network sees.
CALIBRATED: tuple[Kind, ...] = ("int8", "int16x8")

_DEFAULT = [tf.lite.Optimize.DEFAULT]
_OPTIONS: dict[Kind, dict[str, Any]] = {
    "float32": {},
    "float16": {
        "optimizations": _DEFAULT,
        "target_spec": {
            "supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS],
            "supported_types": [tf.float16],
        },
    },
    "dynamic": {"optimizations": _DEFAULT},
    "int16x8": {
        "optimizations": _DEFAULT,
        "target_spec": {
            "supported_ops": [
                tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            ]
        },
    },
}


def write_kind(
    network: keras.Model, target: Path, kind: Kind, noisy: Sequence[np.ndarray] = ()
) -> None:
    """Writes a network as a LiteRT file.

    Args:
        network: A functional model of images (batch, height, width, channels).
        target: The file to write; its name ends in `.tflite`.
        kind: `float32`; `float16`, which keeps weights in 16 bits and computes with 32 unless
            the processor does better; `dynamic`, which keeps weights in 8 bits and rounds
            what it computes with to 8 as it comes; `int8`, integers alone, uint8 in and out;
            `int16x8`, integers of 16 bits times weights of 8, float32 in and out, of a network
            without rearranged pixels (see `make_mobile`).
        noisy: Float32 batches in [0, 1] of what it will see, for the kinds in `CALIBRATED`.

    Raises:
        ModelError: If LiteRT has no such form of what the network computes.
    """
    if kind == "int8":
        write_int8(network, target, noisy)
    elif kind == "int16x8":
        _refuse_level(network)
        options = {"representative_dataset": lambda: _one_by_one(noisy), **_OPTIONS[kind]}
        export_litert(network, target, **options)
    else:
        export_litert(network, target, **_OPTIONS[kind])


def _refuse_level(network: keras.Model) -> None:
    if len(network.inputs) > 1:
        raise ModelError(
            network.name,
            "takes more than an image, which an integer file does not",
            "use --float16",
        )


def _one_by_one(noisy: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    for batch in noisy:
        for image in batch:
            yield [image[np.newaxis]]
