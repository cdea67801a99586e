"""Softplus that does not overflow in LiteRT."""

from __future__ import annotations

import keras

from kerasdenoise.tensors import Tensor

# From here on softplus is the identity in float32. LiteRT computes log(1 + exp(x)), which is
# infinite above 88.
_LINEAR = 20.0


def softplus(x: Tensor) -> Tensor:
    """Gives log(1 + exp(x))."""
    return keras.ops.softplus(keras.ops.minimum(x, _LINEAR)) + keras.ops.relu(x - _LINEAR)
