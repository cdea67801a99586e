"""LiteRT files, and the proof that they compute what the network does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.models import get_parts
from kerasdenoise.runtime import quiet_stderr

# Largest difference, on the [0, 1] scale, that rounding in another order explains.
TOLERANCE = 1e-4


def write_litert(denoiser: keras.Model, folder: Path, stride: int) -> float:
    """Writes all LiteRT files of a network, and compares each with it.

    These are `model.tflite`, which denoises a whole image, and for a network of parts
    `tile.tflite`, which denoises a tile by what a third file tells it: `context.tflite`
    the statistics of the whole image, or `level.tflite` the level of the noise.

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
            "has a global context and estimates the noise level, which no program can run",
            "build it with one of both",
        )
    if parts.context:
        networks["context"] = parts.context
    if parts.noise_level:
        networks["level"] = parts.noise_level
    if parts.tile is not denoiser:
        networks["tile"] = parts.tile
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
    """Compares a `.tflite` with its network on noise-like images of several sizes.

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
    engine = LiteRTEngine(path)
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


def _fill(shape: tuple[int | None, ...], height: int, width: int) -> tuple[int, ...]:
    """A shape with one image of this size; a statistic of an image has no size."""
    sizes = {1: height, 2: width}
    return (1, *(size or sizes[axis] for axis, size in enumerate(shape) if axis))
