"""What a network is compared with: FFDNet's graph, and the same network in onnxruntime."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kerasdenoise.errors import ModelError
from kerasdenoise.runtime import prepare_keras

if TYPE_CHECKING:
    import keras

FFDNET = "FFDNet, random weights"
_WIDTH, _DEPTH = 96, 12

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


def build_ffdnet(channels: int = 3) -> keras.Model:
    """Builds FFDNet for color with random weights, as it is run.

    Zhang et al., "FFDNet: Toward a fast and flexible solution for CNN-based image denoising",
    IEEE TIP 2018: pixels are moved into channels, 2x2 to one; twelve convolutions of 3x3 and 96
    channels see them and the level of the noise; the result is moved back. Batch normalization
    is part of the convolutions, as always when a trained network is run. The level is given for
    each pixel, and the mean of four is taken, where the paper gives one for the image.

    Args:
        channels: Of the image.

    Returns:
        A model from noisy images (batch, H, W, channels) and `noise_level` (batch, H, W, 1) to
        denoised ones; H and W are even.
    """
    prepare_keras()
    import keras
    from keras import layers, ops

    noisy = keras.Input((None, None, channels), name="noisy")
    level = keras.Input((None, None, 1), name="noise_level")
    x = layers.Concatenate()([ops.space_to_depth(noisy, 2), layers.AveragePooling2D(2)(level)])
    for _ in range(_DEPTH - 1):
        x = layers.Conv2D(_WIDTH, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(4 * channels, 3, padding="same")(x)
    return keras.Model([noisy, level], ops.depth_to_space(x, 2), name="ffdnet")
