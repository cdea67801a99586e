"""Mixes one value at borders in an image with another elsewhere."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.tensors import Tensor


@keras.saving.register_keras_serializable("kerasdenoise")
class BorderMix(keras.layers.Layer):
    """Mixes two values by the probability b that a pixel is on a border.

    `b * at_border + (1 - b) * elsewhere`, with b unchanged in training, and rounded to 0 or 1
    afterwards. No gradient flows back through b. The slides on learned anisotropic
    diffusion use one contrast or the other, which could not be trained.

    Args:
        hard: Whether b is rounded outside training: 1 above a half, else 0.

    Call arguments:
        border: b in [0, 1], (batch, height, width, 1).
        at_border: The value at borders, of a shape that broadcasts with that of `border`.
        elsewhere: The value elsewhere.
        training: Whether the layer is being trained.

    Returns:
        Values float32 (batch, height, width, 1), between the two given.
    """

    def __init__(self, hard: bool = True, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        self.hard = hard

    def call(
        self, border: Tensor, at_border: Tensor, elsewhere: Tensor, training: bool | None = None
    ) -> Tensor:
        """Returns the values."""
        border = keras.ops.stop_gradient(border)
        if self.hard and not training:
            border = keras.ops.cast(border > 0.5, border.dtype)
        return border * at_border + (1 - border) * elsewhere

    def compute_output_shape(self, border_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `border`."""
        return border_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "hard": self.hard}
