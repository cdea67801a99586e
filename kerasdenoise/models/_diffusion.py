"""What both kinds of anisotropic diffusion may have: borders apart, and numbers for each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from kerasdenoise.layers.lambda_layer import LambdaLayer
from kerasdenoise.models import border_unet
from kerasdenoise.models._parts import Inputs
from kerasdenoise.models._primitives import Primitives

# What the lambda layer sees beside the whole image, in pixels.
_WINDOW = 7
PIXEL_RADIUS = _WINDOW // 2


def border_config(channels: int) -> border_unet.Config:
    """What the classifier of images with so many channels looks like."""
    return border_unet.Config(channels=channels)


def find_borders(noisy: Any) -> Any:
    """Gives the probability of a border at each pixel, by a classifier named `border`.

    It is frozen, and starts untrained: load the weights of a trained `border_unet` into it.

    Args:
        noisy: The noisy image, a symbolic tensor (batch, height, width, channels).

    Returns:
        (batch, height, width, 1).
    """
    network = border_unet.build(border_config(noisy.shape[-1]))
    border = keras.Model(network.input, network.output, name="border")
    border.trainable = False
    return border(noisy, training=False)[..., :1]


def choose_for_pixels(inputs: Inputs, start: Sequence[float], name: str, make: Primitives) -> Any:
    """Chooses them by the whole image and by what surrounds the pixel.

    Args:
        inputs: The network's, by which they are chosen.
        start: What every pixel has at first.
        name: Name of the lambda layer.
        make: What that is made of.

    Returns:
        The numbers, float32 (batch, height, width, as many as `start`).
    """
    layer = make.layer(LambdaLayer, 8, 8, 2, 1, _WINDOW, dtype="float32", name=name)
    read = keras.layers.Conv2D(
        len(start),
        1,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(list(start)),
        dtype="float32",
        name=f"{name}_read",
    )
    return read(make.pass_context(inputs, layer, inputs.seen))
