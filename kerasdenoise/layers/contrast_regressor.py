"""The contrast parameter of anisotropic diffusion, read off the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.global_context import Tensor
from kerasdenoise.layers.image_regressor import ImageRegressor

SMALLEST_CONTRAST = 1 / 255
# Images in [0, 1] diffuse the same with this contrast, 86, as with any larger one.
_LARGEST_EXPONENT = 10.0


def to_contrast(values: Tensor) -> Tensor:
    """Turns numbers into contrasts: `(1 + exp(a)) / 255`.

    That is positive and at least a gray level of 255. The derivative of g with respect to `a`
    is 2/e at most for the exponential function and 1/2 for the rational one, however small the
    contrast is, where that with respect to the contrast itself has no such bound.
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
            "is none that can be trained",
            "give one above 1/255 on the [0, 1] scale, as with 25/255",
        )
    return math.log(contrast / SMALLEST_CONTRAST - 1)


@keras.saving.register_keras_serializable("kerasdenoise")
class ContrastRegressor(ImageRegressor):
    """Chooses the contrast, Perona and Malik's lambda, by the image.

    The contrasts are `(1 + exp(a)) / 255`, with the numbers `a` of an `ImageRegressor`; call
    arguments are those of that layer. One contrast of an RGB image is 23,761 trained weights,
    of a gray one 23,473.

    The slides on learned anisotropic diffusion let a network choose one contrast for an image,
    or one for its borders and one for the rest, and do not show the network; this is the
    simplest that takes any size.

    Args:
        start: The contrasts that each image has at first, on the [0, 1] scale and above 1/255;
            as many as the layer gives.
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
        """Gives the contrasts, or the statistic that they are read off."""
        values = super().call(inputs, summarize, context, training)
        return values if summarize else to_contrast(values)
