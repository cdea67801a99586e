"""Convolutions that start as PyTorch starts its own, for networks that came from there."""

from __future__ import annotations

from typing import Any

import keras


def convolve(
    x: Any,
    filters: int,
    kernel: int,
    name: str,
    *,
    strides: int = 1,
    transposed: bool = False,
    **options: Any,
) -> Any:
    """Applies a new convolution to a tensor (batch, height, width, channels).

    Kernel and bias are drawn from U(-b, b), b = 1/sqrt(kernel^2 * channels): channels of the
    input, or of the output if it is transposed, as PyTorch counts them there.

    Args:
        x: The tensor.
        filters: Channels of the result.
        kernel: Height and width of the kernel.
        name: The layer's name.
        strides: Factor that the convolution shrinks by, or enlarges by if it is transposed.
        transposed: Whether it enlarges.
        **options: Other settings of the Keras layer, such as `use_bias`.
    """
    bound = (kernel**2 * (filters if transposed else x.shape[-1])) ** -0.5
    layer = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
    return layer(
        filters,
        kernel,
        strides=strides,
        padding="same",
        kernel_initializer=keras.initializers.RandomUniform(-bound, bound),
        bias_initializer=keras.initializers.RandomUniform(-bound, bound),
        name=name,
        **options,
    )(x)
