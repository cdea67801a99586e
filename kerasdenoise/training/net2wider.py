"""Starts a network from a trained one of the same kind with fewer channels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.models._parts import list_parts, read_graph
from kerasdenoise.training.dead_units import ignore_brightness

# Both networks sum in another order; beyond this, in units of the image, they differ.
_TOLERANCE = 1e-4

_ADVICE = "grow from a network of the same architecture with as many blocks and fewer channels"


def net2wider(network: keras.Model, smaller: keras.Model) -> None:
    """Gives a network the weights of a smaller one, so that it computes the same at first.

    The first channels of each layer become those of the smaller network, and take nothing from
    the others; the others are new, and take from all. So training begins with what the smaller
    network can do, as in Chen et al., "Net2Net: Accelerating learning via knowledge transfer",
    ICLR 2016, where channels are copied instead and their outgoing weights divided. New
    channels with ReLU answer to differences, not to brightness, as in `revive`.

    Args:
        network: The larger network, as built; its convolutions keep the weights of their new
            channels. Computes in float32.
        smaller: One with the same layers, of as many channels or fewer.

    Raises:
        ModelError: If the layers differ, one of the smaller network has more channels, or the
            larger network does not compute the same (channels that meet other than in sums).
    """
    own, trained = (_list_trained(model) for model in (network, smaller))
    odd = sorted(own.keys() ^ trained.keys())
    if odd:
        raise ModelError(
            smaller.name, f"has other layers than what grows from it ({odd[0]})", _ADVICE
        )
    groups = _find_groups(network)
    for name, layer in own.items():
        for weight, old in zip(layer.weights, trained[name].get_weights(), strict=True):
            fresh = keras.ops.convert_to_numpy(weight)
            if fresh.ndim != old.ndim or any(np.less(fresh.shape, old.shape)):
                raise ModelError(
                    f"layer {name!r}", f"of shape {fresh.shape} cannot hold {old.shape}", _ADVICE
                )
            if fresh.ndim == 4 and getattr(layer, "activation", None) is keras.activations.relu:
                fresh = ignore_brightness(fresh)
            weight.assign(_enlarge(fresh, old, groups.get(name, 1)))
    _check_same(network, smaller)


def _list_trained(network: keras.Model) -> dict[str, Any]:
    """Lists the layers with weights that stand in a network or its parts, by their names."""
    return {
        layer.name: layer for part in list_parts(network) for layer in part.layers if layer.weights
    }


def _find_groups(network: keras.Model) -> dict[str, int]:
    """Returns how many pixels a layer's channels are spread over afterwards, each with its own."""
    groups = {}
    for part in list_parts(network):
        for name, consumers in read_graph(part).consumers.items():
            blocks = [getattr(consumer, "block_size", 1) for consumer in consumers]
            groups[name] = max(blocks) ** 2
    return groups


def _enlarge(fresh: np.ndarray, old: np.ndarray, groups: int) -> np.ndarray:
    """Puts trained weights (..., inputs, outputs), or (outputs,), where new ones stand."""
    if fresh.shape == old.shape:
        return old
    shape = fresh.shape
    fresh = fresh.reshape(*shape[:-1], groups, -1).copy()
    old = old.reshape(*old.shape[:-1], groups, -1)
    outputs = old.shape[-1]
    if len(shape) > 1:
        inputs = old.shape[-3]
        fresh[..., inputs:, :, :outputs] = 0
        fresh[..., :inputs, :, :outputs] = old
    else:
        fresh[..., :outputs] = old
    return fresh.reshape(shape)


def _check_same(network: keras.Model, smaller: keras.Model) -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.random((1, 64, 64, tensor.shape[-1]), np.float32) for tensor in network.inputs]
    given = inputs if len(inputs) > 1 else inputs[0]
    results = [
        keras.ops.convert_to_numpy(model(given, training=False)) for model in (network, smaller)
    ]
    error = float(np.abs(results[0] - results[1]).max())
    if not error < _TOLERANCE:
        raise ModelError(
            network.name, f"grown differs by {error:.2g} from what it grows from", _ADVICE
        )
