"""Cutting a network at its global context, so that it can denoise a photo in tiles."""

from __future__ import annotations

from typing import NamedTuple

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers import GlobalContext


class Parts(NamedTuple):
    """The two halves of a network with global context; they share its weights.

    Attributes:
        context: From the network's inputs to a dictionary: for each `GlobalContext` layer, its
            value by the layer's name, and the value's weight by that name and `_log_weight`.
        tile: From the network's inputs, and one for each value, to the denoised image.
        names: The names of the inputs of `tile`.
    """

    context: keras.Model
    tile: keras.Model
    names: list[str]


def split_context(denoiser: keras.Model) -> Parts | None:
    """Cuts a network in two at its `GlobalContext` layers.

    Args:
        denoiser: A functional model.

    Returns:
        Both halves, or None if the network has no global context.

    Raises:
        ModelError: One context is computed from another, which would take three parts.
    """
    marks = [layer for layer in denoiser.layers if isinstance(layer, GlobalContext)]
    within = [layer for layer in denoiser._flatten_layers() if isinstance(layer, GlobalContext)]
    if len(within) > len(marks):
        raise ModelError(
            denoiser.name,
            "has a global context inside of another layer, where it cannot be cut",
            "build it of layers that stand in the network itself",
        )
    if not marks:
        return None
    outputs = {}
    for mark in marks:
        value, log_weight = mark.input
        outputs |= {mark.name: value, f"{mark.name}_log_weight": log_weight}
    context = keras.Model(denoiser.input, outputs, name=f"{denoiser.name}_context")
    if any(isinstance(layer, GlobalContext) for layer in context.layers):
        raise ModelError(
            denoiser.name,
            "computes one global context from another",
            "compute all of them from what a tile shows",
        )
    tile = keras.Model(
        [*denoiser.inputs, *(mark.output for mark in marks)],
        denoiser.output,
        name=f"{denoiser.name}_tile",
    )
    names = [tensor.name for tensor in denoiser.inputs] + [mark.name for mark in marks]
    return Parts(context, tile, names)
