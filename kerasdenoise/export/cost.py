"""What a network costs, counted from its layers."""

from __future__ import annotations

import math

import keras


def mac_per_pixel(model: keras.Model, stride: int) -> int:
    """Counts the multiply-accumulates of all kernels, per pixel of the image.

    Args:
        model: A functional model of images (batch, height, width, channels).
        stride: What height and width must be a multiple of.

    Returns:
        The count, rounded. Additions, activations and rearrangements are not counted, as in
        published tables.
    """
    side = 16 * stride
    channels = model.input_shape[-1]
    fixed = keras.Input((side, side, channels), batch_size=1)
    sized = keras.models.clone_model(model, input_tensors=fixed)
    return round(sum(_layer_mac(layer) for layer in sized.layers) / side**2)


def _layer_mac(layer: keras.layers.Layer) -> int:
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    # Each weight is used once at each place of the smaller grid: of the result for a
    # convolution, of the input for a transposed one.
    transposed = isinstance(layer, keras.layers.Conv2DTranspose)
    grid = layer.input if transposed else layer.output
    return math.prod(kernel.shape) * math.prod(grid.shape[1:-1])
