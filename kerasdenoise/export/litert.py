"""LiteRT files, and the proof that they compute what the network does."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.runtime import quiet_stderr

# Largest difference, on the [0, 1] scale, that rounding in another order explains.
TOLERANCE = 1e-4


def export_litert(denoiser: keras.Model, target: Path) -> None:
    """Writes a float32 `.tflite` with dynamic height and width.

    Only LiteRT's own operations are allowed: a file that needed TensorFlow's would not run
    where there is no TensorFlow.

    Args:
        denoiser: A functional model of images (batch, height, width, channels).
        target: The file to write; its name ends in `.tflite`.

    Raises:
        ModelError: If the network needs an operation that LiteRT does not have.
    """
    channels = denoiser.input_shape[-1]
    # One image at a time: a dynamic batch would keep LiteRT from planning its memory.
    signature = [keras.InputSpec("float32", (1, None, None, channels), name="noisy")]
    try:
        with quiet_stderr():
            denoiser.export(
                target,
                format="litert",
                input_signature=signature,
                verbose=False,
                target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
            )
    except Exception as error:
        raise ModelError(
            denoiser.name,
            f"cannot be converted to LiteRT ({str(error).splitlines()[0]})",
            "use LiteRT's own operations",
        ) from error


def check_parity(denoiser: keras.Model, path: Path, stride: int) -> float:
    """Compares a `.tflite` with its network on noise-like images of several sizes.

    Args:
        denoiser: The network.
        path: The file made of it.
        stride: What height and width are multiples of.

    Returns:
        The largest absolute difference found.

    Raises:
        ModelError: If it exceeds `TOLERANCE`.
    """
    engine = LiteRTEngine(path)
    rng = np.random.default_rng(0)
    largest = 0.0
    for rows, columns in ((1, 1), (4, 9), (8, 8)):
        shape = (1, rows * stride, columns * stride, denoiser.input_shape[-1])
        noisy = rng.random(shape, np.float32)
        expected = keras.ops.convert_to_numpy(denoiser(noisy, training=False))
        largest = max(largest, float(np.abs(engine(noisy) - expected).max()))
    if not largest <= TOLERANCE:
        raise ModelError(path, f"differs from the network by {largest:.2g}", "report this")
    return largest
