"""What a network knows of a whole image, marked so that its tiles can share it."""

from __future__ import annotations

from typing import Any

import keras

# A backend's tensor. Keras defines no public type for it.
Tensor = Any


@keras.saving.register_keras_serializable("kerasdenoise")
class GlobalContext(keras.layers.Layer):
    """Marks a statistic of the whole image; returns it as it is.

    A large photo is denoised in tiles, and a statistic of one tile is not that of the photo.
    A network is therefore cut in two at this layer when it is exported: one part gives the
    statistic and its weight for each of several parts of the photo, the other denoises a tile
    with the statistic given. In between the parts' values are averaged, weighted by
    `softmax(log_weight)` over the parts. That is exact for

    - a mean over pixels, with the logarithm of the number of pixels as weight;
    - a sum weighted by a softmax over pixels, with the logarithm of its denominator;
    - nearly a maximum, with a large multiple of itself.

    All tiles have the same context, so that there are no seams between them.

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
        """Gives the shape of `value`."""
        return value_shape


def pass_context(layer: keras.layers.Layer, inputs: Tensor) -> Tensor:
    """Applies a layer that needs a statistic of the whole image, with that marked.

    Args:
        layer: A layer that gives `(value, log_weight)` when it is called as
            `layer(inputs, summarize=True)`, and its result as `layer(inputs, context=value)`.
        inputs: What it is applied to, a symbolic tensor (batch, height, width, channels).

    Returns:
        The layer's result.
    """
    value, log_weight = layer(inputs, summarize=True)
    context = GlobalContext(name=f"{layer.name}_context", dtype="float32")(value, log_weight)
    return layer(inputs, context=context)
