"""What each architecture costs and sees, in each of its presets."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models import get_architecture, list_architectures
from kerasdenoise.models._parts import get_parts, list_sublayers

_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


@dataclass(frozen=True)
class Facts:
    """A preset of an architecture, for RGB images.

    Attributes:
        architecture: The architecture's name.
        preset: The preset's name.
        parameters: How many numbers the network's weights are.
        trainable: How many of them training changes.
        mac_per_pixel: Multiply-accumulates; see `mac_per_pixel`.
        radius: How far it sees, in pixels, but for its global context.
        stride: What the height and width of its input must be a multiple of.
        global_context: Whether it also needs statistics of the whole image.
        noise_level: Whether it is told the level of the noise.
        estimates_level: Whether it estimates the level itself, and may be told another.
    """

    architecture: str
    preset: str
    parameters: int
    trainable: int
    mac_per_pixel: int
    radius: int
    stride: int
    global_context: bool
    noise_level: bool
    estimates_level: bool


def describe_architectures() -> Iterator[Facts]:
    """Builds every preset of every architecture, which takes a while, and describes it."""
    for architecture in list_architectures():
        module = get_architecture(architecture)
        for preset, config in module.PRESETS.items():
            network = module.build(config)
            yield Facts(
                architecture=architecture,
                preset=preset,
                parameters=network.count_params(),
                trainable=sum(math.prod(weight.shape) for weight in network.trainable_variables),
                mac_per_pixel=mac_per_pixel(network, config.stride),
                radius=config.radius,
                stride=config.stride,
                global_context=get_parts(network).context is not None,
                noise_level=config.noise_level,
                estimates_level=get_parts(network).noise_level is not None,
            )


def mac_per_pixel(model: keras.Model, stride: int) -> int:
    """Counts the multiply-accumulates of all kernels, per pixel of a large image.

    Each call of each layer counts, at any depth: in a model inside the model, inside a layer,
    and once for each time that a layer is shared. Each number of a kernel is used once at each
    place of the layer's result, or of its input if it is a transposed convolution. Additions,
    activations, normalizations and other work without a kernel are not counted, as in
    published tables, nor is what is done once for an image, whatever its size.

    A layer that multiplies otherwise says so by a method `mac_per_position()`: all that it does
    for each position of its input, layers inside it included. If it is applied by
    `Inputs.pass_context`, its two calls count as one.

    Args:
        model: A model of one or more images (batch, height, width, channels).
        stride: What height and width must be a multiple of.

    Returns:
        The count, rounded.

    Raises:
        ModelError: A layer has a matrix of weights, but neither a kernel nor that method.
    """
    # What grows with the image is the difference between two sizes. On both, the grids of
    # networks that shrink the image by up to 32 come out even.
    side = math.lcm(stride, 32)
    # What a tile has to know of the whole image is computed of what it computes as well.
    context, tile = get_parts(model)[1:]
    counted = model if context is None else tile
    small, large = (_count(counted, each) for each in (side, 2 * side))
    return round((large - small) / (3 * side**2))


def _count(model: keras.Model, side: int) -> float:
    # A statistic of an image has no size.
    images = [
        keras.ops.zeros((1, *(size or side for size in each.shape[1:]))) for each in model.inputs
    ]
    with _counting(model) as counts:
        model(images if len(images) > 1 else images[0], training=False)
    return sum(counts)


@contextlib.contextmanager
def _counting(model: keras.Model) -> Iterator[list[float]]:
    """Makes the layers that multiply add to a list what each of their calls costs."""
    counts: list[float] = []
    layers = _find_layers(model)
    try:
        for layer in layers:
            layer.call = _counted(layer, counts)
        yield counts
    finally:
        for layer in layers:
            vars(layer).pop("call", None)


def _find_layers(layer: Any) -> list[Any]:
    """Lists the layers that multiply, at any depth, without those inside one that says all."""
    if hasattr(layer, "mac_per_position"):
        return [layer]
    parts = list_sublayers(layer)
    found = {id(each): each for part in parts for each in _find_layers(part)}
    if _kernels(layer):
        found[id(layer)] = layer
    else:
        _refuse_matrices(layer, parts)
    return list(found.values())


def _refuse_matrices(layer: Any, parts: list[Any]) -> None:
    elsewhere = {id(weight) for part in parts for weight in part.weights}
    for weight in layer.weights:
        if id(weight) not in elsewhere and sum(size > 1 for size in weight.shape) > 1:
            raise ModelError(
                layer.name,
                f"has a weight {weight.name!r} of which the use cannot be counted",
                "give the layer a method mac_per_position()",
            )


def _counted(layer: Any, counts: list[float]) -> Any:
    """Wraps a layer's `call`."""
    call = layer.call

    def counted(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        result = call(inputs, *args, **kwargs)
        counts.append(_call_mac(layer, inputs, result, kwargs))
        return result

    return counted


def _call_mac(layer: Any, inputs: Any, result: Any, options: dict[str, Any]) -> float:
    if hasattr(layer, "mac_per_position"):
        # The call for the summary belongs to the one for the result.
        return 0 if options.get("summarize") else layer.mac_per_position() * _positions(inputs)
    transposed = isinstance(layer, keras.layers.Conv2DTranspose)
    size = sum(math.prod(kernel.shape) for kernel in _kernels(layer))
    return size * _positions(inputs if transposed else result)


def _kernels(layer: Any) -> list[Any]:
    kernels = [getattr(layer, name, None) for name in _KERNELS]
    return [kernel for kernel in kernels if kernel is not None]


def _positions(tensor: Any) -> int:
    return math.prod(tensor.shape[1:-1])
