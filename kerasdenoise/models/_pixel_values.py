"""Numbers that a small lambda layer chooses for each pixel of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from kerasdenoise.layers.lambda_layer import LambdaLayer
from kerasdenoise.models._inputs import Inputs

# What the lambda layer sees beside the whole image, in pixels.
_WINDOW = 7
PIXEL_RADIUS = _WINDOW // 2


def choose_for_pixels(inputs: Inputs, start: Sequence[float], name: str) -> Any:
    """Chooses them by the whole image and by what surrounds the pixel.

    Args:
        inputs: The network's, by which they are chosen.
        start: What every pixel has at first.
        name: Name of the lambda layer.

    Returns:
        The numbers, float32 (batch, height, width, as many as `start`).
    """
    layer = LambdaLayer(8, 8, 2, 1, _WINDOW, dtype="float32", name=name)
    read = keras.layers.Conv2D(
        len(start),
        1,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(list(start)),
        dtype="float32",
        name=f"{name}_read",
    )
    return read(inputs.pass_context(layer, inputs.seen))
