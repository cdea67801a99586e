"""The level of the noise that a network estimates, marked so that it can be replaced."""

from __future__ import annotations

import keras

from kerasdenoise.layers.global_context import Tensor


@keras.saving.register_keras_serializable("kerasdenoise")
class NoiseLevel(keras.layers.Layer):
    """Marks a network's own estimate of the noise; returns it as it is.

    A network is cut in two at this layer, where someone else is to say how strong the noise
    is: in training, which compares the estimate with the truth, and in use, where it may be
    scaled or given; see `models.split_noise_level`.

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
        """Gives the shape of `level`."""
        return level_shape
