"""How a network estimates the level of the noise."""

from __future__ import annotations

import keras

from kerasdenoise.models._parts import NOISE_LEVEL
from kerasdenoise.models._primitives import Primitives

# The estimate is made for cells of this many pixels a side.
CELL = 8

# How far a pixel reaches the estimate: three convolutions, each on a grid twice as wide as the one
# before, and then all of a cell.
RADIUS = 2 + 4 + 8 + CELL - 1

_WIDTHS = (16, 32, 32)


def build_estimator(channels: int, make: Primitives) -> keras.Model:
    """Builds the part of a network that estimates the standard deviation of the noise.

    A small network of its own, as in Guo et al., "Toward convolutional blind denoising of real
    photographs" (CBDNet), CVPR 2019. Unlike theirs it has no biases, so that twice the image
    has twice the noise, one level for all channels, and cells of 8x8 pixels, in which noise
    can be measured.

    Args:
        channels: Channels of the images.
        make: What it is made of.

    Returns:
        From noisy images (batch, height, width, channels), sides multiples of 8, to the level
        (batch, height, width, 1), float32 and equal within each cell.
    """
    noisy = keras.Input((None, None, channels), name="noisy")
    x = make.take(noisy, "noisy", is_picture=True)
    x = make.gather(x, 2, _WIDTHS[0], 3, "level_conv1", activation="relu")
    for number, width in enumerate(_WIDTHS[1:], 2):
        x = make.convolve(x, width, 2, f"level_down{number}", strides=2, activation="relu")
        x = make.convolve(x, width, 3, f"level_conv{number}", activation="relu")
    cells = make.convolve(x, 1, 1, "level_cells", dtype="float32")
    level = make.enlarge(make.absolute(cells, "level_absolute"), CELL, "level")
    return keras.Model(noisy, make.give(level), name=NOISE_LEVEL)
