"""The strength of edges at each pixel, from its differences or its surroundings."""

from __future__ import annotations

from typing import Any, cast

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers._gradient import square_gradient, take_differences
from kerasdenoise.layers._softplus import softplus
from kerasdenoise.tensors import Tensor

# Keeps the derivative of the root finite in flat areas.
_FLAT = 1e-3
# With these the indicator of convolutions that are not trained yet is near 0 where an image is
# flat, about 0.2 for noise of 25/255 or at an edge of half the range.
_GAIN = 30.0
_OFFSET = -3.0


@keras.saving.register_keras_serializable("kerasdenoise")
class EdgeIndicator(keras.layers.Layer):
    """Returns a number for each pixel, 0 or above, that rises with the strength of its edge.

    Without convolutions that is the norm s of the gradient, over both directions and all
    channels: sqrt(s^2 + d^2) - d with d = 0.001, whose derivative is at most 1. With them it is

        softplus(conv3x3( ... relu(conv3x3(relu([D, -D])))))

    of the differences D in both directions and all channels, so it depends on a pixel's
    surroundings, but not on brightness. The last convolution starts as a mean over its window.
    The slides on learned anisotropic diffusion use some convolutional layers here, so that the
    network sees what happens around a pixel; they do not say which.

    Args:
        convolutions: Number of 3x3 convolutions; 0 for the gradient's norm.
        width: Channels between them.

    Call arguments:
        image: (batch, height, width, channels).

    Returns:
        The indicator, float32 (batch, height, width, 1).

    Raises:
        ModelError: If there are fewer than 0 convolutions or less than one channel.
    """

    def __init__(self, convolutions: int = 0, width: int = 8, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if convolutions < 0 or width < 1:
            raise ModelError(
                f"edge indicator of {convolutions} convolutions and width {width}",
                "has too small a number",
                "give 0 or more convolutions and 1 or more channels",
            )
        self.convolutions = convolutions
        self.width = width
        self._hidden = [
            keras.layers.Conv2D(
                width,
                3,
                padding="same",
                data_format="channels_last",
                activation="relu",
                kernel_initializer="he_normal",
                dtype=self.dtype_policy,
                name=f"conv_{index}",
            )
            for index in range(convolutions - 1)
        ]

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the weights."""
        channels = 4 * cast(int, shape[-1])
        shape = (*shape[:-1], channels)
        if self.convolutions:
            for layer in self._hidden:
                layer.build(shape)
                shape = layer.compute_output_shape(shape)
                channels = self.width
            self._last = keras.layers.Conv2D(
                1,
                3,
                padding="same",
                data_format="channels_last",
                kernel_initializer=keras.initializers.Constant(_GAIN / (9 * channels)),
                bias_initializer=keras.initializers.Constant(_OFFSET),
                dtype=self.dtype_policy,
                name="last",
            )
            self._last.build(shape)
        self.built = True

    def call(self, image: Tensor) -> Tensor:
        """Returns the indicator."""
        right, below = take_differences(image)
        if not self.convolutions:
            return keras.ops.sqrt(square_gradient(right, below) + _FLAT**2) - _FLAT
        x = keras.ops.relu(keras.ops.concatenate([right, below, -right, -below], axis=-1))
        for layer in self._hidden:
            x = layer(x)
        return softplus(self._last(x))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the indicator."""
        return (*shape[:-1], 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "convolutions": self.convolutions,
            "width": self.width,
        }
