"""Draws units anew that have fallen silent in an earlier training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kerasdenoise.noise.base import Tensor

# A unit that answers to fewer of the pixels than this counts as silent.
_ALIVE = 1e-3


def revive(network: keras.Model, batches: Sequence[Tensor]) -> dict[str, int]:
    """Gives new weights to the channels that their ReLU always silences.

    Such a channel gets no gradient, so that no training brings it back. Its incoming weights are
    drawn as those of a new network, less their mean over the kernel's window, and its bias is
    zero: it answers to differences, where a channel that answers to brightness is silent
    everywhere or nowhere. Its outgoing weights are set to zero, so that the network still
    computes what it did, and can learn to use the channel (as neurons are added in Chen et al.,
    "Net2Net", ICLR 2016, which copies others instead).

    Args:
        network: A functional model. Of its convolutions with ReLU those are looked at whose
            results go into convolutions alone.
        batches: Inputs, by which channels are judged.

    Returns:
        How many channels were drawn anew, by the names of their layers, without those of none.
    """
    layers = [layer for layer in network.layers if _can_be_revived(layer)]
    if not layers:
        return {}
    probe = keras.Model(network.inputs, [layer.output for layer in layers])
    # Keras gives a single output by itself, not as a list of one.
    shares = [list(map(_active_share, keras.tree.flatten(probe(batch)))) for batch in batches]
    revived = {}
    for layer, share in zip(layers, map(np.array, zip(*shares, strict=True)), strict=True):
        silent = share.mean(axis=0) < _ALIVE
        if silent.any():
            _draw_anew(layer, silent)
            revived[layer.name] = int(silent.sum())
    return revived


def ignore_brightness(kernel: np.ndarray) -> np.ndarray:
    """Returns a kernel (height, width, inputs, outputs) that answers to differences alone.

    One without a window, which could answer to nothing else, stays as it is.
    """
    if kernel[..., 0, 0].size == 1:
        return kernel
    return kernel - kernel.mean(axis=(0, 1), keepdims=True)


def _can_be_revived(layer: Any) -> bool:
    if not isinstance(layer, keras.layers.Conv2D) or layer.activation is not keras.activations.relu:
        return False
    return all(isinstance(consumer, keras.layers.Conv2D) for consumer in _consumers(layer))


def _consumers(layer: Any) -> list[Any]:
    return [node.operation for node in layer._outbound_nodes]


def _active_share(values: Tensor) -> np.ndarray:
    """Returns in what share of the pixels each channel is not silent."""
    values = keras.ops.convert_to_numpy(keras.ops.cast(values, "float32"))
    return np.mean(values > 0, axis=(0, 1, 2))


def _draw_anew(layer: Any, silent: np.ndarray) -> None:
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    fresh = keras.ops.convert_to_numpy(layer.kernel_initializer(kernel.shape))
    layer.kernel.assign(np.where(silent, ignore_brightness(fresh), kernel))
    if layer.use_bias:
        layer.bias.assign(np.where(silent, 0, keras.ops.convert_to_numpy(layer.bias)))
    for consumer in _consumers(layer):
        kernel = keras.ops.convert_to_numpy(consumer.kernel)
        consumer.kernel.assign(np.where(silent[:, None], 0, kernel))
