"""How a network estimates the level of the noise, and where it is cut to be told instead."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers import NoiseLevel

# A symbolic tensor. Keras defines no public type for it.
Tensor = Any

# The estimate is made for cells of this many pixels a side.
CELL = 8

# How far a pixel reaches the estimate: three convolutions, each on a grid twice as wide as the one
# before, and then all of a cell.
RADIUS = 2 + 4 + 8 + CELL - 1

_WIDTHS = (16, 32, 32)


class LevelParts(NamedTuple):
    """The two halves of a network that estimates the noise level; they share its weights.

    Attributes:
        estimator: From noisy images to their noise level (batch, height, width, 1).
        told: From noisy images and a noise level to denoised images.
    """

    estimator: keras.Model
    told: keras.Model


def estimate_noise_level(noisy: Tensor) -> Tensor:
    """Estimates the standard deviation of the noise around each pixel.

    A small network of its own, as in Guo et al., "Toward convolutional blind denoising of real
    photographs" (CBDNet), CVPR 2019. Unlike theirs it has no biases, so that twice the image
    has twice the noise, one level for all channels, and cells of 8x8 pixels, in which noise
    can be measured.

    Args:
        noisy: Symbolic images (batch, height, width, channels), sides multiples of 8.

    Returns:
        The level (batch, height, width, 1), equal within each cell, marked by `NoiseLevel`.
    """
    x = keras.ops.space_to_depth(noisy, 2)
    x = _conv(_WIDTHS[0], 3, "level_conv1", activation="relu")(x)
    for number, width in enumerate(_WIDTHS[1:], 2):
        x = _conv(width, 2, f"level_down{number}", strides=2, activation="relu")(x)
        x = _conv(width, 3, f"level_conv{number}", activation="relu")(x)
    cells = keras.ops.abs(_conv(1, 1, "level_cells", dtype="float32")(x))
    # Not by UpSampling2D, after which LiteRT does not know how many channels there are.
    level = keras.ops.depth_to_space(keras.ops.tile(cells, (1, 1, 1, CELL**2)), CELL)
    return NoiseLevel(name="noise_level", dtype="float32")(level)


def split_noise_level(denoiser: keras.Model) -> LevelParts | None:
    """Cuts a network in two where it estimates the noise level.

    Args:
        denoiser: A functional model.

    Returns:
        Both halves, or None if the network estimates no level.

    Raises:
        ModelError: It estimates several, or one inside of another layer.
    """
    marks = [layer for layer in denoiser.layers if isinstance(layer, NoiseLevel)]
    within = [layer for layer in denoiser._flatten_layers() if isinstance(layer, NoiseLevel)]
    if len(within) > len(marks) or len(marks) > 1:
        raise ModelError(
            denoiser.name,
            "estimates the noise level several times, or inside of another layer",
            "estimate it once, by layers that stand in the network itself",
        )
    if not marks:
        return None
    (mark,) = marks
    estimator = keras.Model(denoiser.input, mark.output, name=f"{denoiser.name}_level")
    # Keras hands the input over to the network that begins amid the layers, and would then refuse
    # to save the one it comes from.
    history = denoiser.input._keras_history
    told = keras.Model([denoiser.input, mark.output], denoiser.output, name=f"{denoiser.name}_told")
    denoiser.input._keras_history = history
    return LevelParts(estimator, told)


def _conv(filters: int, kernel: int, name: str, **options: Any) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        filters,
        kernel,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
        **options,
    )
