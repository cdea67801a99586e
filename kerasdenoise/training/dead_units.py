"""Counts units that no longer answer to anything, and draws them anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kerasdenoise.models._parts import list_parts, read_graph, run_parts
from kerasdenoise.tensors import Tensor

# A unit that answers to fewer of the pixels than this counts as dead.
_ALIVE = 1e-3


def measure_dead_units(network: keras.Model, inputs: Tensor | list[Tensor]) -> float:
    """Measures how many of a network's rectified units are dead.

    A unit whose ReLU gives zero for every input gets no gradient, and no training brings it
    back. Networks without biases lose whole levels in this way when the learning rate is too
    high; their PSNR tells so only much later.

    Args:
        network: A functional model.
        inputs: What it takes, of a few images.

    Returns:
        Of all channels behind a ReLU, the share that answers to less than 0.1 % of the pixels;
        0 where there is no ReLU.
    """
    answers = []
    for part, given in run_parts(network, inputs):
        calls = read_graph(part).calls
        # What is used several times has no one output.
        layers = [each for each in part.layers if _is_rectified(each) and calls[each.name] == 1]
        answers += _measure_answers(part, layers, given)
    return float((np.concatenate(answers) < _ALIVE).mean()) if answers else 0.0


def revive(network: keras.Model, batches: Sequence[Tensor]) -> dict[str, int]:
    """Gives new weights to the channels that their ReLU always silences.

    Such a channel gets no gradient, so that no training brings it back. Its incoming weights are
    drawn as those of a new network, less their mean over the kernel's window, and its bias is
    zero: it answers to differences, where a channel that answers to brightness is dead
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
    revived = {}
    for number, part in enumerate(list_parts(network)):
        given = [run_parts(network, batch)[number][1] for batch in batches]
        revived |= _revive_part(part, given)
    return revived


def ignore_brightness(kernel: np.ndarray) -> np.ndarray:
    """Returns a kernel (height, width, inputs, outputs) that answers to differences alone.

    One without a window, which could answer to nothing else, stays as it is.
    """
    if kernel[..., 0, 0].size == 1:
        return kernel
    return kernel - kernel.mean(axis=(0, 1), keepdims=True)


def _revive_part(part: keras.Model, batches: Sequence[Any]) -> dict[str, int]:
    consumers = read_graph(part).consumers
    layers = [layer for layer in part.layers if _can_be_revived(layer, consumers[layer.name])]
    answers = [_measure_answers(part, layers, batch) for batch in batches]
    revived = {}
    for layer, of_batches in zip(layers, zip(*answers, strict=True), strict=False):
        dead = np.mean(of_batches, axis=0) < _ALIVE
        if dead.any():
            _draw_anew(layer, consumers[layer.name], dead)
            revived[layer.name] = int(dead.sum())
    return revived


def _measure_answers(
    network: keras.Model, layers: Sequence[Any], inputs: Tensor | list[Tensor]
) -> list[np.ndarray]:
    """Returns for each layer in what share of the pixels each channel is above zero."""
    if not layers:
        return []
    probe = keras.Model(network.input, [layer.output for layer in layers])
    # Keras gives a single output by itself, not as a list of one.
    outputs = keras.tree.flatten(probe(inputs))
    arrays = [keras.ops.convert_to_numpy(keras.ops.cast(each, "float32")) for each in outputs]
    return [np.mean(each > 0, axis=tuple(range(each.ndim - 1))) for each in arrays]


def _is_rectified(layer: Any) -> bool:
    return isinstance(layer, keras.layers.ReLU) or (
        getattr(layer, "activation", None) is keras.activations.relu
    )


def _can_be_revived(layer: Any, consumers: Sequence[Any]) -> bool:
    if not isinstance(layer, keras.layers.Conv2D) or not _is_rectified(layer):
        return False
    return all(isinstance(consumer, keras.layers.Conv2D) for consumer in consumers)


def _draw_anew(layer: Any, consumers: Sequence[Any], dead: np.ndarray) -> None:
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    fresh = keras.ops.convert_to_numpy(layer.kernel_initializer(kernel.shape))
    layer.kernel.assign(np.where(dead, ignore_brightness(fresh), kernel))
    if layer.use_bias:
        layer.bias.assign(np.where(dead, 0, keras.ops.convert_to_numpy(layer.bias)))
    for consumer in consumers:
        kernel = keras.ops.convert_to_numpy(consumer.kernel)
        consumer.kernel.assign(np.where(dead[:, None], 0, kernel))
