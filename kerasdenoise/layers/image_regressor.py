"""Predicts a few numbers from a whole image with a convolutional network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from kerasdenoise.tensors import Tensor


@keras.saving.register_keras_serializable("kerasdenoise")
class ImageRegressor(keras.layers.Layer):
    """Predicts a few numbers for an image of any size.

    3x3 convolutions of stride 2, each with batch normalization and ReLU; their mean over all
    positions; and a linear layer, whose result is added to `start`. Its weights start at zero,
    so every image gets `start` at first.

    The mean is a statistic of the whole image: in a model, apply the layer with
    `Inputs.pass_context`, so that an image can be denoised in tiles.

    Args:
        start: The initial numbers; their number is that of the results.
        widths: Channels of the convolutions.

    Call arguments:
        inputs: (batch, height, width, channels).
        summarize: Whether to return only the mean of the features, (batch, last width), and
            the logarithm of the number of positions, (batch, 1).
        context: Such a mean, to use instead of that of `inputs`.
        training: Whether batch normalization uses the batch's statistics.

    Returns:
        The numbers, float32 (batch, 1, 1, as many as `start`).
    """

    def __init__(
        self, start: Sequence[float], widths: Sequence[int] = (16, 32, 64), **options: Any
    ) -> None:
        super().__init__(**options)
        # Added to the prediction; subclasses may start from other terms.
        self.start = self._offsets = tuple(float(value) for value in start)
        self.widths = tuple(widths)
        self._convolutions = [
            # Without bias: batch normalization would remove it.
            keras.layers.Conv2D(
                width,
                3,
                strides=2,
                padding="same",
                data_format="channels_last",
                use_bias=False,
                kernel_initializer="he_normal",
                dtype=self.dtype_policy,
                name=f"conv_{level}",
            )
            for level, width in enumerate(self.widths)
        ]
        self._normalizations = [
            keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy, name=f"normalization_{level}"
            )
            for level in range(len(self.widths))
        ]
        self._read = keras.layers.Dense(
            len(self.start),
            kernel_initializer="zeros",
            dtype="float32",
            name="read",
        )

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the weights."""
        for convolution, normalization in zip(
            self._convolutions, self._normalizations, strict=True
        ):
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            normalization.build(shape)
        self._read.build((shape[0], shape[-1]))
        self.built = True

    def call(
        self,
        inputs: Tensor,
        summarize: bool = False,
        context: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """Returns the numbers, or the statistic that determines them."""
        if summarize:
            return self._summarize(inputs, training)
        if context is None:
            context, _ = self._summarize(inputs, training)
        start = keras.ops.convert_to_tensor(self._offsets, "float32")
        return keras.ops.reshape(start + self._read(context), (-1, 1, 1, len(self.start)))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the numbers."""
        return (shape[0], 1, 1, len(self.start))

    def compute_output_spec(
        self,
        inputs: Tensor,
        summarize: bool = False,
        context: Tensor | None = None,
        training: bool | None = None,
    ) -> keras.KerasTensor | tuple[keras.KerasTensor, keras.KerasTensor]:
        """Returns the results of `call` as symbols."""
        if not summarize:
            return keras.KerasTensor(self.compute_output_shape(inputs.shape), "float32")
        batch = inputs.shape[0]
        return (
            keras.KerasTensor((batch, self.widths[-1]), "float32"),
            keras.KerasTensor((batch, 1), "float32"),
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "start": self.start, "widths": self.widths}

    def _summarize(self, x: Tensor, training: bool | None) -> tuple[Tensor, Tensor]:
        for convolution, normalization in zip(
            self._convolutions, self._normalizations, strict=True
        ):
            x = keras.ops.relu(normalization(convolution(x), training=training))
        x = keras.ops.cast(x, "float32")
        positions = keras.ops.sum(keras.ops.ones_like(x[..., 0]), axis=(1, 2))
        log_positions = keras.ops.log(keras.ops.expand_dims(positions, 1))
        return keras.ops.mean(x, axis=(1, 2)), log_positions
