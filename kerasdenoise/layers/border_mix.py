"""One value at an image's borders, another elsewhere."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.layers.global_context import Tensor


@keras.saving.register_keras_serializable("kerasdenoise")
class BorderMix(keras.layers.Layer):
    """Mixes two values by the probability b that a pixel lies on a border.

    `b * at_border + (1 - b) * elsewhere`, in training with b as it is, afterwards with b
    rounded to 0 or 1. No gradient flows back through b. The slides on learned anisotropic
    diffusion give a pixel one contrast or the other; between them nothing could be trained.

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
        """Gives the values."""
        border = keras.ops.stop_gradient(border)
        if self.hard and not training:
            border = keras.ops.cast(border > 0.5, border.dtype)
        return border * at_border + (1 - border) * elsewhere

    def compute_output_shape(self, border_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives the shape of `border`."""
        return border_shape

    def get_config(self) -> dict[str, Any]:
        """What the layer is made of."""
        return {**super().get_config(), "hard": self.hard}
