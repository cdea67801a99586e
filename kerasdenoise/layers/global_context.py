"""Marks statistics of the whole image, so that tiles can share them."""

from __future__ import annotations

from typing import Any

import keras

# A backend's tensor. Keras defines no public type for it.
Tensor = Any


@keras.saving.register_keras_serializable("kerasdenoise")
class GlobalContext(keras.layers.Layer):
    """Marks a statistic of the whole image, and returns it unchanged.

    A large photo is denoised in tiles, and a statistic of one tile is not that of the photo.
    So export splits a network in two at this layer: one half computes the statistic and its
    weight for each of several parts of the photo, and the other denoises a tile with the given
    statistic. In between, the parts' values are averaged, weighted by `softmax(log_weight)` over
    the parts. That is exact for

    - a mean over pixels, with the logarithm of the number of pixels as weight;
    - a sum weighted by a softmax over pixels, with the logarithm of its denominator;
    - a maximum, nearly, with a large multiple of itself.

    All tiles have the same context, so there are no seams between them.

    Call arguments:
        value: The statistic, float32 of shape (batch, ...) with no height and width.
        log_weight: Its weight, of a shape that broadcasts with that of `value`.

    Returns:
        `value`.
    """

    def call(self, value: Tensor, log_weight: Tensor) -> Tensor:
        """Returns the value."""
        return value

    def compute_output_shape(self, value_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `value`."""
        return value_shape


def pass_context(layer: keras.layers.Layer, inputs: Tensor) -> Tensor:
    """Applies a layer that needs a statistic of the whole image, and marks the statistic.

    Args:
        layer: A layer that returns `(value, log_weight)` for `layer(inputs, summarize=True)`, and
            its result for `layer(inputs, context=value)`.
        inputs: A symbolic tensor (batch, height, width, channels).

    Returns:
        The layer's result.
    """
    value, log_weight = layer(inputs, summarize=True)
    context = GlobalContext(name=f"{layer.name}_context", dtype="float32")(value, log_weight)
    return layer(inputs, context=context)
