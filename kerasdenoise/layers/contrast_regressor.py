"""Predicts the contrast parameter of anisotropic diffusion from the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.image_regressor import ImageRegressor
from kerasdenoise.tensors import Tensor

SMALLEST_CONTRAST = 1 / 255
# Images in [0, 1] diffuse the same with this contrast, 86, as with any larger one.
_LARGEST_EXPONENT = 10.0


def to_contrast(values: Tensor) -> Tensor:
    """Converts numbers to contrasts: `(1 + exp(a)) / 255`.

    The result is at least one gray level (of 255). The derivative of g with respect to `a` is at
    most 2/e for the exponential function and 1/2 for the rational one, for any contrast. The
    derivative with respect to the contrast itself has no such bound.
    """
    return SMALLEST_CONTRAST * (1 + keras.ops.exp(keras.ops.minimum(values, _LARGEST_EXPONENT)))


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
