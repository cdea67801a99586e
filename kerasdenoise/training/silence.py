"""Counts units that no longer answer to anything."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasdenoise.noise.base import Tensor

# A unit that answers to fewer of the pixels than this counts as silent.
_ALIVE = 1e-3


def measure_silence(network: keras.Model, inputs: Tensor | list[Tensor]) -> float:
    """Measures how many of a network's rectified units are silent.

    A unit whose ReLU is silent for every input gets no gradient, and no training brings it
    back. Networks without biases lose whole levels in this way when the learning rate is too
    high; their PSNR tells so only much later.

    Args:
        network: A functional model.
        inputs: What it takes, of a few images.

    Returns:
        Of all channels behind a ReLU, the share that answers to less than 0.1 % of the pixels;
        0 where there is no ReLU.
    """
    outputs = [layer.output for layer in network.layers if _is_rectified(layer)]
    if not outputs:
        return 0.0
    # Keras gives a single output by itself, not as a list of one.
    answers = keras.tree.flatten(keras.Model(network.input, outputs)(inputs))
    return float(np.concatenate([_share_above_zero(values) < _ALIVE for values in answers]).mean())


def _is_rectified(layer: Any) -> bool:
    rectified = isinstance(layer, keras.layers.ReLU) or (
        getattr(layer, "activation", None) is keras.activations.relu
    )
    # What is used several times has no one output.
    return rectified and len(layer._inbound_nodes) == 1


def _share_above_zero(values: Tensor) -> np.ndarray:
    """Returns in what share of the pixels each channel is above zero."""
    values = keras.ops.convert_to_numpy(keras.ops.cast(values, "float32"))
    return np.mean(values > 0, axis=tuple(range(values.ndim - 1)))
