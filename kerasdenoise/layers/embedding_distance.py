"""How far two images are from each other, by what a network makes of them."""

from __future__ import annotations

import keras

from kerasdenoise.tensors import Tensor


@keras.saving.register_keras_serializable("kerasdenoise")
class EmbeddingDistance(keras.layers.Layer):
    """The mean squared difference of two embeddings on the sphere.

    Each embedding is first scaled to a root mean square of 1. So the distance is 0 where both
    point the same way, 2 where they are orthogonal, and 4, the most, where they are opposite: no
    network can make it larger by larger numbers.

    Call arguments:
        first: (batch, size).
        second: Of the same shape.

    Returns:
        The distances, float32 (batch, 1).
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**{"dtype": "float32", **options})

    def call(self, first: Tensor, second: Tensor) -> Tensor:
        """Returns the distances."""
        # On the unit sphere, the sum is what the mean is on one that grows with the size.
        difference = keras.ops.normalize(first) - keras.ops.normalize(second)
        return keras.ops.sum(keras.ops.square(difference), axis=-1, keepdims=True)

    def compute_output_shape(self, first_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the distances."""
        return (first_shape[0], 1)

    def compute_output_spec(self, first: Tensor, second: Tensor) -> keras.KerasTensor:
        """Returns the distances as a symbol."""
        del second
        return keras.KerasTensor(self.compute_output_shape(first.shape), self.compute_dtype)
