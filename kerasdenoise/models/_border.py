"""A border classifier inside another network."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.models import border_unet


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
