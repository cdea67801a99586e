"""A learned curve of pixel values, and the way back."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor

# Rows of the table by which values are brought back, for each knot of the curve.
_FINER = 8


@keras.saving.register_keras_serializable("kerasdenoise")
class VarianceStabilizer(keras.layers.Layer):
    """Maps pixel values by an increasing curve f, so that noise has the same level everywhere.

    The curve is linear between knots at equal distances from `low` to `high`, and goes on in a
    straight line beyond them. It starts as f(z) = z.

    The form is that of Herbreteau and Unser, "Self-calibrated variance-stabilizing transformations
    for real-world image denoising" (Noise2VST), ICCV 2025. Here slopes are exponentials of what is
    learned, so that no constraint is needed, and the inverse is read from a table of eight rows
    for each knot.

    Args:
        low: The first knot.
        high: The last one.
        knots: How many there are.

    Call arguments:
        values: Float32 of any shape.
        mode: "forward" for f, "backward" for its inverse, or "slope" for the slope of f.

    Returns:
        Float32 of the shape of `values`.

    Raises:
        ModelError: If there are less than two knots, or they do not increase.
    """

    def __init__(self, low: float = 0.0, high: float = 1.0, knots: int = 128, **options: Any):
        super().__init__(**{"dtype": "float32", **options})
        if knots < 2 or not low < high:
            raise ModelError(
                f"{knots} knots from {low:g} to {high:g}",
                "are not a range of pixel values",
                "give two or more, from a smaller to a larger value",
            )
        self.low = low
        self.high = high
        self.knots = knots

    def build(self, input_shape: Any) -> None:
        """Makes the weights: the slopes' logarithms, and where the curve starts."""
        del input_shape
        first = keras.initializers.Constant(self.low)
        self.log_slopes = self.add_weight((self.knots - 1,), "zeros", name="log_slopes")
        self.start = self.add_weight((1,), first, name="start")

    @property
    def _step(self) -> float:
        return (self.high - self.low) / (self.knots - 1)

    def call(self, values: Tensor, mode: str = "forward") -> Tensor:
        """Returns the mapped values, or slopes."""
        # Not the weight itself: of what is gathered from it TensorFlow would give Adam slices.
        slopes = keras.ops.exp(self.log_slopes * 1.0)
        levels = self._find_levels(slopes)
        if mode == "backward":
            return self._invert(values, slopes, levels)
        place = (values - self.low) / self._step
        piece = self._find_piece(place, self.knots - 1)
        slope = keras.ops.take(slopes, piece)
        if mode == "slope":
            return slope
        start = self.low + self._step * keras.ops.cast(piece, slopes.dtype)
        return keras.ops.take(levels, piece) + slope * (values - start)

    def _find_levels(self, slopes: Tensor) -> Tensor:
        """The curve's values at the knots."""
        rises = keras.ops.cumsum(slopes) * self._step
        return keras.ops.concatenate([self.start * 1.0, self.start + rises])

    def _invert(self, values: Tensor, slopes: Tensor, levels: Tensor) -> Tensor:
        """Finds pixel values by those of the curve, from a table with rows at equal distances."""
        ops = keras.ops
        rows = _FINER * self.knots
        first, last = levels[:1], levels[-1:]
        share = ops.cast(np.linspace(0, 1, rows), slopes.dtype)
        wanted = first + (last - first) * share
        # In which piece a row is: the knots below it, counted. That is done once for an image.
        below = ops.expand_dims(wanted, 1) >= ops.expand_dims(levels[1:-1], 0)
        piece = ops.sum(ops.cast(below, "int32"), axis=1)
        knot = self.low + self._step * ops.cast(piece, "float32")
        table = knot + (wanted - ops.take(levels, piece)) / ops.take(slopes, piece)
        rises = table[1:] - table[:-1]
        place = (values - first) * ((rows - 1) / (last - first))
        row = self._find_piece(place, rows - 1)
        return ops.take(table, row) + ops.take(rises, row) * (place - ops.cast(row, slopes.dtype))

    @staticmethod
    def _find_piece(place: Tensor, pieces: int) -> Tensor:
        inside = keras.ops.minimum(keras.ops.maximum(place, 0.0), pieces - 1.0)
        return keras.ops.cast(keras.ops.floor(inside), "int32")

    def mac_per_position(self) -> int:
        """Counts the multiplications for a value: its place, and the slope."""
        return 2

    def compute_output_shape(self, values_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `values`."""
        return values_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "low": self.low,
            "high": self.high,
            "knots": self.knots,
        }
