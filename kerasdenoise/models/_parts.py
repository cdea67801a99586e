"""The networks that a network is made of: their inputs, their layers, and what tiles share."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.models import Config, get_architecture, make_config
from kerasdenoise.tensors import Tensor

# What the parts are called within a network.
NOISE_LEVEL = "noise_level"
CONTEXT = "context"
TILE = "tile"
DETAIL = "detail"
# Those of an autoencoder, which another network may have as well.
ENCODER = "encoder"
DECODER = "decoder"


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


def find_detail(network: keras.Model) -> keras.Model | None:
    """Finds the part of a network that adds detail to what its part `tile` gives.

    Returns:
        From the inputs of `tile`, its result `mean` and a `seed` (1, 1, 1, 1) to what is added to
        that result; None if nothing is.
    """
    parts = {layer.name: layer for layer in network.layers if isinstance(layer, keras.Model)}
    return parts.get(DETAIL)


def list_parts(network: keras.Model) -> list[keras.Model]:
    """Lists the parts that a network was built of, or itself if it has none."""
    return [part for part in (*get_parts(network), find_detail(network)) if part is not None]


def run_parts(
    network: keras.Model, inputs: Tensor | Sequence[Tensor]
) -> list[tuple[keras.Model, Any]]:
    """Returns each part of a network with what it is given when the network is given `inputs`."""
    noise_level, context, tile = get_parts(network)
    detail = find_detail(network)
    images = [keras.ops.convert_to_tensor(each) for each in keras.tree.flatten(inputs)]
    told, before = images, []
    if noise_level is not None:
        told = [*images, noise_level(inputs, training=False)]
        before = [(noise_level, inputs)]
    if detail is not None:
        seed = keras.ops.zeros((images[0].shape[0], 1, 1, 1))
        mean = tile(told, training=False)
        return [*before, (tile, told), (detail, [*told, mean, seed])]
    if noise_level is not None:
        return [*before, (tile, told)]
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
    own = {layer.name: layer for layer in _list_weighted(target)}
    for layer in _list_weighted(source):
        if layer.name in own:
            adapt = (change or {}).get(layer.name, np.asarray)
            own[layer.name].set_weights([adapt(weight) for weight in layer.get_weights()])


def _list_weighted(network: keras.Model) -> Iterator[keras.Layer]:
    """Lists the layers with weights, each with those inside it, whose names may not be unique."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _list_weighted(layer)
        elif layer.weights:
            yield layer


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


class Inputs:
    """The inputs of a network: `noisy` and, if `config.noise_level`, `noise_level`.

    Args:
        config: The network's settings.

    Attributes:
        noisy: Noisy images (batch, height, width, channels), nominally in [0, 1].
        noise_level: Standard deviation of the noise at each pixel (batch, height, width, 1), on
            the same scale, or None if the network is not told.
        seen: Both, one behind the other along the channels: what a convolution is applied to
            (Zhang et al., "FFDNet", IEEE TIP 2018).
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._all = _make_inputs(config)
        self.noisy = self.seen = self._all[0]
        self.noise_level = None
        if config.noise_level:
            self.noise_level = self._all[1]
            self.seen = keras.layers.Concatenate(name="seen")(self._all)
        self._statistics: dict[str, Tensor] = {}
        self._shared: list[Tensor] = []

    def pass_context(self, layer: keras.Layer, x: Tensor) -> Tensor:
        """Applies a layer that needs a statistic of the whole image.

        A large photo is denoised in tiles, and a statistic of one tile is not that of the photo.
        So the network becomes two: one part gives the statistic and its weight for each of
        several parts of the photo, the other denoises a tile with the statistic given. In between
        the parts' values are averaged, weighted by `softmax(log_weight)` over the parts. That is
        exact for

        - a mean over pixels, with the logarithm of the number of pixels as weight;
        - a sum weighted by a softmax over pixels, with the logarithm of its denominator;
        - nearly a maximum, with a large multiple of itself.

        All tiles have the same context, so that there are no seams between them.

        Args:
            layer: A layer that gives `(value, log_weight)` when it is called as
                `layer(x, summarize=True)`: the statistic, float32 of shape (batch, ...) with no
                height and width, and its weight, of a shape that broadcasts with that. It gives
                its result as `layer(x, context=value)`.
            x: What it is applied to (batch, height, width, channels), made of the inputs by
                layers that see no other statistic.

        Returns:
            The layer's result.
        """
        value, log_weight = layer(x, summarize=True)
        shared = keras.Input(value.shape[1:], dtype="float32", name=f"{layer.name}_context")
        self._statistics[shared.name] = value
        self._statistics[f"{shared.name}_log_weight"] = log_weight
        self._shared.append(shared)
        return layer(x, context=shared)

    def make_network(self, denoised: Tensor, name: str) -> keras.Model:
        """Makes the network, of parts if statistics of the whole image were needed.

        Args:
            denoised: What it gives.
            name: The architecture's name.

        Raises:
            ModelError: One statistic is computed from another, which would take three parts.
        """
        if not self._shared:
            return keras.Model(_single(self._all), denoised, name=name)
        try:
            context = keras.Model(_single(self._all), self._statistics, name=CONTEXT)
        except ValueError as error:  # by which Keras refuses what the inputs do not lead to
            raise ModelError(
                name,
                "computes one global context from another",
                "compute all of them from what a tile shows",
            ) from error
        tile = keras.Model([*self._all, *self._shared], denoised, name=TILE)
        given = _make_inputs(self._config)
        statistics = context(_single(given))
        told = [statistics[shared.name] for shared in self._shared]
        return ContextNetwork(_single(given), tile([*given, *told]), name=name, config=self._config)


def _make_inputs(config: Config) -> list[Tensor]:
    noisy = keras.Input((None, None, config.channels), name="noisy")
    if not config.noise_level:
        return [noisy]
    return [noisy, keras.Input((None, None, 1), name="noise_level")]


def _single(tensors: list[Tensor]) -> Tensor | list[Tensor]:
    return tensors if len(tensors) > 1 else tensors[0]
