"""Trained numbers that are the same for every image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from kerasdenoise.tensors import Tensor


@keras.saving.register_keras_serializable("kerasdenoise")
class SharedValues(keras.layers.Layer):
    """Returns the same numbers for every image: the counterpart of `ImageRegressor`.

    Args:
        start: The initial numbers; their number is that of the results.
        learned: Whether they are trained. If not, they are still a weight, which can be assigned
            and is saved.

    Call arguments:
        inputs: Any tensor; its values are ignored.

    Returns:
        The numbers, float32 (1, 1, 1, as many as `start`).
    """

    def __init__(self, start: Sequence[float], learned: bool = True, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        self.start = tuple(float(value) for value in start)
        self.learned = learned

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the weight."""
        self.values = self.add_weight(
            (len(self.start),),
            lambda shape, dtype=None: keras.ops.convert_to_tensor(self.start, dtype),
            trainable=self.learned,
            name="values",
        )

    def call(self, inputs: Tensor) -> Tensor:
        """Returns the numbers."""
        return keras.ops.reshape(self.values, (1, 1, 1, len(self.start)))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the numbers."""
        return (1, 1, 1, len(self.start))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "start": self.start, "learned": self.learned}
