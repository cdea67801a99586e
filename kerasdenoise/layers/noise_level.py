"""Marks a network's estimate of the noise level, so that it can be replaced."""

from __future__ import annotations

import keras

from kerasdenoise.layers.global_context import Tensor


@keras.saving.register_keras_serializable("kerasdenoise")
class NoiseLevel(keras.layers.Layer):
    """Marks a network's own estimate of the noise level, and returns it unchanged.

    A network is split in two at this layer to set the noise level from outside: in training,
    which compares the estimate with the truth, and in use, where it may be scaled or given; see
    `models.get_parts`.

    Call arguments:
        level: Standard deviation of the noise at each pixel, (batch, height, width, 1), on the
            [0, 1] scale.

    Returns:
        `level`.
    """

    def call(self, level: Tensor) -> Tensor:
        """Returns the level."""
        return level

    def compute_output_shape(self, level_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `level`."""
        return level_shape
