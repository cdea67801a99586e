"""The networks that a network is made of, and the layers of all of them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from kerasdenoise.models import Config, get_architecture, make_config
from kerasdenoise.tensors import Tensor

# What the parts are called within a network.
NOISE_LEVEL = "noise_level"
CONTEXT = "context"
TILE = "tile"


class Parts(NamedTuple):
    """The parts of a network, which have its weights.

    Attributes:
        noise_level: From noisy images to the level of their noise (batch, height, width, 1); None
            if the network estimates no level.
        context: From the network's inputs to what it has to know of the whole image, a dictionary
            of statistics by the names of inputs of `tile`, and the logarithm of each one's weight
            by that name and `_log_weight`; None if it has to know nothing.
        tile: From the network's inputs, and those statistics or that level, to denoised images.
            The network itself if it has no other parts.
    """

    noise_level: keras.Model | None
    context: keras.Model | None
    tile: keras.Model


def get_parts(network: keras.Model) -> Parts:
    """Returns the parts that a network was built of."""
    parts = {layer.name: layer for layer in network.layers if isinstance(layer, keras.Model)}
    return Parts(parts.get(NOISE_LEVEL), parts.get(CONTEXT), parts.get(TILE, network))


def list_parts(network: keras.Model) -> list[keras.Model]:
    """Lists the parts that a network was built of, or itself if it has none."""
    return [part for part in get_parts(network) if part is not None]


def run_parts(
    network: keras.Model, inputs: Tensor | Sequence[Tensor]
) -> list[tuple[keras.Model, Any]]:
    """Returns each part of a network with what it is given when the network is given `inputs`."""
    noise_level, context, tile = get_parts(network)
    images = [keras.ops.convert_to_tensor(each) for each in keras.tree.flatten(inputs)]
    if noise_level is not None:
        told = [*images, noise_level(inputs, training=False)]
        return [(noise_level, inputs), (tile, told)]
    if context is not None:
        statistics = context(inputs, training=False)
        told = [*images, *(statistics[given.name] for given in tile.inputs[len(images) :])]
        return [(context, inputs), (tile, told)]
    return [(network, inputs)]


def find_layers(layer: keras.Layer) -> Iterator[keras.Layer]:
    """Lists the layers inside a network or a layer, at any depth, each once."""
    seen = {id(layer)}
    rest = [layer]
    while rest:
        for part in list_sublayers(rest.pop(0)):
            if id(part) not in seen:
                seen.add(id(part))
                rest.append(part)
                yield part


def list_sublayers(layer: keras.Layer) -> list[keras.Layer]:
    """Lists the layers that a network or a layer is directly made of, each once."""
    if isinstance(layer, keras.Model):
        return list(layer.layers)
    held = keras.tree.flatten(list(vars(layer).values()))
    return list({id(each): each for each in held if isinstance(each, keras.Layer)}.values())


def copy_weights(
    source: keras.Model,
    target: keras.Model,
    change: Mapping[str, Callable[[np.ndarray], np.ndarray]] | None = None,
) -> None:
    """Gives the layers of a network the weights of those of the same names in another one.

    Args:
        source: The network with the weights.
        target: The network that gets them; its layers of other names stay as they are.
        change: By names of layers, what becomes of their weights on the way.
    """
    own = {layer.name: layer for layer in find_layers(target) if _holds_weights(layer)}
    for layer in find_layers(source):
        if layer.name in own and _holds_weights(layer):
            adapt = (change or {}).get(layer.name, np.asarray)
            own[layer.name].set_weights([adapt(weight) for weight in layer.get_weights()])


def _holds_weights(layer: keras.Layer) -> bool:
    return bool(layer.weights) and not isinstance(layer, keras.Model)


@contextlib.contextmanager
def use_precision(policy: str) -> Iterator[None]:
    """Has networks that are built meanwhile compute by one of Keras' dtype policies."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class Graph(NamedTuple):
    """How the layers of a network follow each other.

    Attributes:
        calls: How often each layer is applied, by its name.
        consumers: What takes a layer's results, by the layer's name.
    """

    calls: Mapping[str, int]
    consumers: Mapping[str, list[Any]]


def read_graph(network: keras.Model) -> Graph:
    """Reads a functional model's graph from its configuration, without what is inside a part."""
    operations = {operation.name: operation for operation in network.operations}
    calls, consumers = {}, defaultdict(list)
    for entry in network.get_config()["layers"]:
        calls[entry["name"]] = len(entry["inbound_nodes"])
        for name in dict.fromkeys(_find_sources(entry["inbound_nodes"])):
            consumers[name].append(operations[entry["name"]])
    return Graph(calls, consumers)


def _find_sources(data: Any) -> Iterator[str]:
    """Names the layers of which the results stand in the arguments of calls."""
    if isinstance(data, Mapping):
        if "keras_history" in data:
            yield data["keras_history"][0]
        else:
            yield from _find_sources(list(data.values()))
    elif isinstance(data, list | tuple):
        for each in data:
            yield from _find_sources(each)


@keras.saving.register_keras_serializable("kerasdenoise")
class ContextNetwork(keras.Model):
    """A network of which two parts share layers: `context` and `tile`.

    Keras can save such layers once for each part alone, so that a file names the architecture
    and its configuration instead of the graph.

    Args:
        *args: What `keras.Model` takes.
        config: What it was built from; None for a network that cannot be saved.
        **options: What `keras.Model` takes.
    """

    def __init__(self, *args: Any, config: Config | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._built_from = config
        self._precision = keras.config.dtype_policy().name

    def get_config(self) -> dict[str, Any]:
        """Returns what the network is built of."""
        values = dataclasses.asdict(self._built_from)  # pyright: ignore[reportArgumentType]
        return {
            "architecture": self.name,
            "config": values,
            "precision": self._precision,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> keras.Model:
        """Builds the network."""
        made = make_config(config["architecture"], config["config"])
        with use_precision(config["precision"]):
            network = get_architecture(config["architecture"]).build(made)
        network.trainable = config["trainable"]
        return network
