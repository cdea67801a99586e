"""A network that was trained in integers, in operations that LiteRT makes integers of."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kerasdenoise.training.fake_quantization import Rounded, RoundedConv2D


class FixedScale(keras.layers.Layer):
    """Tells LiteRT's converter the values that a tensor of 8 bits holds.

    Args:
        low: The smallest one.
        high: The largest one.

    Call arguments:
        values: A float32 tensor of any shape.

    Returns:
        The values, rounded to 256 from `low` to `high`.
    """

    def __init__(self, low: float, high: float, **options: Any) -> None:
        super().__init__(**options)
        self.low = low
        self.high = high

    def call(self, values: Any) -> Any:
        """Returns the rounded values."""
        return tf.quantization.fake_quant_with_min_max_args(values, self.low, self.high)


def fix_scales(rounded: keras.Model) -> keras.Model:
    """Turns what `round_network` made into a network with its scales for LiteRT's converter.

    Weights stay as they are: the converter rounds them as the training did.

    Args:
        rounded: A network trained in integers.

    Returns:
        The same network of plain convolutions, with a `FixedScale` for each tensor.
    """

    def clone(layer: Any) -> Any:
        if isinstance(layer, Rounded):
            scale = layer.scale
            return FixedScale(scale * layer.low, scale * layer.high, name=layer.name)
        if isinstance(layer, RoundedConv2D):
            return keras.layers.Conv2D.from_config(layer.get_config())
        return layer

    fixed = keras.models.clone_model(rounded, clone_function=clone)
    for layer in fixed.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.set_weights(rounded.get_layer(layer.name).get_weights())
    return fixed


def has_fixed_scales(network: keras.Model) -> bool:
    """Whether `fix_scales` made a network, or another one of its layers."""
    return any(isinstance(layer, FixedScale) for layer in network.layers)
