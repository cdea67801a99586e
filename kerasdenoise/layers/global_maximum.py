"""The largest value in an image."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.tensors import Tensor

# The merged maximum of n parts is too small by at most log(n) over this.
_WEIGHT = 10_000.0


@keras.saving.register_keras_serializable("kerasdenoise")
class GlobalMaximum(keras.layers.Layer):
    """Returns the largest value of each channel in a whole image.

    No gradient flows back through it. In a model, apply it with `Inputs.pass_context`, so that an
    image can be denoised in tiles.

    Args:
        floor: The smallest result.

    Call arguments:
        inputs: (batch, height, width, channels).
        summarize: Whether to return only the maximum without the floor, and its weight, a
            large multiple of it, both (batch, 1, 1, channels).
        context: Such a maximum, to use instead of that of `inputs`.

    Returns:
        The maximum, or the floor if it is larger, float32 (batch, 1, 1, channels).
    """

    def __init__(self, floor: float = 1e-3, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        self.floor = floor

    def call(
        self, inputs: Tensor, summarize: bool = False, context: Tensor | None = None
    ) -> Tensor:
        """Returns the maximum."""
        if context is None:
            inputs = keras.ops.stop_gradient(inputs)
            context = keras.ops.max(inputs, axis=(1, 2), keepdims=True)
        if summarize:
            return context, keras.ops.multiply(context, _WEIGHT)
        return keras.ops.maximum(context, self.floor)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the maximum."""
        return (shape[0], 1, 1, shape[-1])

    def compute_output_spec(
        self, inputs: Tensor, summarize: bool = False, context: Tensor | None = None
    ) -> keras.KerasTensor | tuple[keras.KerasTensor, keras.KerasTensor]:
        """Returns the results of `call` as symbols."""
        maximum = keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)
        if not summarize:
            return maximum
        return maximum, keras.KerasTensor(maximum.shape, maximum.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "floor": self.floor}
