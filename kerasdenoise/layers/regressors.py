"""Numbers that a network is steered by: of each image, or trained ones that all images share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor

SMALLEST_CONTRAST = 1 / 255
# Images in [0, 1] diffuse the same with this contrast, 86, as with any larger one.
_LARGEST_EXPONENT = 10.0


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


def to_contrast(values: Tensor) -> Tensor:
    """Converts numbers to contrasts: `(1 + exp(a)) / 255`.

    The result is at least one gray level (of 255). The derivative of g with respect to `a` is at
    most 2/e for the exponential function and 1/2 for the rational one, for any contrast. The
    derivative with respect to the contrast itself has no such bound.
    """
    # 1 + exp(a) is 1 / sigmoid(-a): not all accelerators of phones have exponentials.
    return SMALLEST_CONTRAST / keras.ops.sigmoid(keras.ops.maximum(-values, -_LARGEST_EXPONENT))


def from_contrast(contrast: float) -> float:
    """The number that `to_contrast` turns into a contrast.

    Raises:
        ModelError: If the contrast is out of the range of `to_contrast`.
    """
    largest = SMALLEST_CONTRAST * (1 + math.exp(_LARGEST_EXPONENT))
    if not SMALLEST_CONTRAST < contrast <= largest:
        raise ModelError(
            f"contrast {contrast:g}",
            "cannot be trained",
            "give one above 1/255 on the [0, 1] scale, such as 25/255",
        )
    return math.log(contrast / SMALLEST_CONTRAST - 1)


@keras.saving.register_keras_serializable("kerasdenoise")
class ContrastRegressor(ImageRegressor):
    """Predicts the contrast, Perona and Malik's lambda, from the image.

    The contrasts are `(1 + exp(a)) / 255`, with the numbers `a` of an `ImageRegressor`; call
    arguments are those of that layer. One contrast of an RGB image is 23,761 trained weights,
    of a gray one 23,473.

    The slides on learned anisotropic diffusion let a network choose one contrast for an image,
    or one for its borders and one for the rest, but do not show the network; this is the
    simplest one for any size.

    Args:
        start: The initial contrasts for every image, on the [0, 1] scale and above 1/255. Their
            number is that of the results.
        widths: Channels of the convolutions.

    Returns:
        The contrasts, float32 (batch, 1, 1, as many as `start`).

    Raises:
        ModelError: If a contrast at the start is out of range.
    """

    def __init__(
        self,
        start: Sequence[float] = (25 / 255,),
        widths: Sequence[int] = (16, 32, 64),
        **options: Any,
    ) -> None:
        super().__init__(start, widths, **options)
        self._offsets = tuple(from_contrast(contrast) for contrast in self.start)

    def call(
        self,
        inputs: Tensor,
        summarize: bool = False,
        context: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """Returns the contrasts, or the statistic that determines them."""
        values = super().call(inputs, summarize, context, training)
        return values if summarize else to_contrast(values)


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
