"""A network that computes in training what its file of 8-bit integers will compute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import RecipeError
from kerasdenoise.tensors import Tensor

# What 8 bits hold. Weights leave out the lowest number, so that they are symmetric.
_SIGNED = (-128, 127)
_UNSIGNED = (0, 255)
_WEIGHT = 127

# The scale of a picture: 256 values from black to white.
_PIXEL = 1 / 255

# What only moves values, so that they stay on their scale.
_MOVES = ("SpaceToDepth", "DepthToSpace", "NoiseLevel")
# What computes new ones, in files for CPUs or for phones. Nothing else is known to have the same
# integers in LiteRT.
_COMPUTES = ("Conv2D", "Add", "Subtract", "Absolute", "Concatenate", "Tile")

# How much faster than weights the logarithms of scales learn: an optimizer moves both by about
# the learning rate at each step, which for a scale is next to nothing.
_PACE = 20

# A scale is sought between the one that cuts off nothing and this share of it.
_SHARES = np.geomspace(1, 0.05, 40)
_SAMPLES = 200_000
# For a tensor that is zero throughout.
_LEAST = _PIXEL / 100


@keras.saving.register_keras_serializable("kerasdenoise")
class Rounded(keras.layers.Layer):
    """Rounds a tensor to 256 values: a scale times -128 to 127, or times 0 to 255.

    The gradient is that of the values before they were rounded, and zero for those cut off. The
    scale is learned as in Esser et al., "Learned step size quantization", ICLR 2020, but by its
    logarithm, so that scales of all sizes learn alike.

    Args:
        signed: Whether values may be negative.
        picture: Whether the tensor is a picture, of which the scale is known: 1/255.

    Call arguments:
        values: A tensor of any shape.

    Returns:
        The rounded values, float32.
    """

    def __init__(
        self, *, signed: bool, picture: bool = False, dtype: Any = "float32", **options: Any
    ) -> None:
        super().__init__(dtype=dtype, **options)
        self.low, self.high = _SIGNED if signed else _UNSIGNED
        self.picture = picture

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes the scale."""
        self.log_scale = self.add_weight(
            name="log_scale",
            shape=(),
            initializer=keras.initializers.Constant(math.log(_PIXEL) / _PACE),
            trainable=not self.picture,
        )

    def call(self, values: Tensor) -> Tensor:
        """Returns the rounded values."""
        ops = keras.ops
        scale = ops.exp(_PACE * self.log_scale)
        return scale * _round(ops.clip(values / scale, self.low, self.high))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "signed": self.low < 0, "picture": self.picture}

    @property
    def scale(self) -> float:
        """The difference between two neighboring values."""
        return math.exp(_PACE * float(keras.ops.convert_to_numpy(self.log_scale)))

    @scale.setter
    def scale(self, scale: float) -> None:
        self.log_scale.assign(math.log(scale) / _PACE)


@keras.saving.register_keras_serializable("kerasdenoise")
class RoundedConv2D(keras.layers.Conv2D):
    """A convolution whose weights have 8 bits, with a scale for each output channel."""

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """Convolves with the rounded weights."""
        ops = keras.ops
        largest = ops.max(ops.abs(kernel), axis=(0, 1, 2), keepdims=True)
        scale = ops.stop_gradient(ops.maximum(largest, 1e-8)) / _WEIGHT
        return super().convolution_op(inputs, scale * _round(kernel / scale))


def round_network(network: keras.Model) -> keras.Model:
    """Makes a network that rounds its weights and values as an integer file does.

    Args:
        network: A functional model of noisy images alone, made of convolutions, sums and what
            moves values.

    Returns:
        A functional model of the same images, with layers of the same names that have weights of
        their own, and a scale for each tensor.

    Raises:
        RecipeError: It has more than one input, or something in it has no integers here.
    """
    if len(network.inputs) > 1:
        raise RecipeError(
            f"{network.name} in integers",
            "is told the noise level, and an integer file is given an image alone",
            "train a network that estimates the level by itself, or does without",
        )
    noisy = keras.Input(network.input.shape[1:], name=network.input.name)
    writer = _Writer(network.name, noisy)
    same = keras.models.clone_model(
        network, noisy, clone_function=writer.clone, call_function=writer
    )
    denoised = Rounded(signed=False, picture=True, name="denoised_pixels")(same.output)
    return keras.Model(noisy, denoised, name=network.name)


def set_scales(network: keras.Model, noisy: Sequence[Tensor]) -> None:
    """Sets the scales of a rounded network to those of the least squared error.

    Args:
        network: Made by `round_network`, with its weights.
        noisy: Float32 batches of what it will see.
    """
    rng = np.random.default_rng(0)
    layers = [each for each in network.layers if isinstance(each, Rounded) and not each.picture]
    # From the first to the last, as each gets what those before it left. A scale that several
    # tensors have is set by the first of them, so that the others are not cut off, and then by all.
    for count in (1, None):
        for layer in layers:
            probe = keras.Model(network.input, tensors_rounded_by(layer, network)[:count])
            seen = [
                keras.ops.convert_to_numpy(values).ravel()
                for batch in noisy
                for values in keras.tree.flatten(probe(batch))
            ]
            widest = max(_widest(values, layer) for values in seen)
            sample = rng.choice(np.concatenate(seen), _SAMPLES)
            errors = [_squared_error(sample, widest * share, layer) for share in _SHARES]
            layer.scale = widest * _SHARES[np.argmin(errors)]


def tensors_rounded_by(layer: Rounded, network: keras.Model) -> list[Tensor]:
    """Returns what a layer of a network is applied to, in the network's order."""
    # Not what other models of the same layers apply it to.
    own = {id(node) for nodes in network._nodes_by_depth.values() for node in nodes}
    return [node.input_tensors[0] for node in layer._inbound_nodes if id(node) in own]


class _Writer:
    """Applies the operations of a network one after the other, to rounded values.

    A value is rounded where it is used, once for all uses, and so behind what only moves it.

    A sum and what it is of have one scale. Then the sum of rounded values needs no rounding, and
    of all the sums in a row, each on top of the last, only what is added is rounded.
    """

    def __init__(self, name: str, noisy: Tensor) -> None:
        self._name = name
        pixels = Rounded(signed=False, picture=True, name="pixels")(noisy)
        # By the identity of tensors: what they are rounded to, and which are never negative.
        self._rounded = {id(noisy): pixels, id(pixels): pixels}
        self._positive: set[int] = set()
        # What rounds a tensor: of those that are rounded, and of sums that are not yet.
        self._rounders: dict[int, Rounded] = {}
        # Keeps the tensors, so that no other one gets the identity of one of them.
        self._kept: list[Tensor] = [noisy]

    def clone(self, operation: Any) -> Any:
        """Returns the same operation with weights of its own, rounded in a convolution."""
        kind = type(operation).__name__
        known = kind in ("InputLayer", *_MOVES, *_COMPUTES)
        if kind == "Conv2D":
            known = operation.activation in (keras.activations.linear, keras.activations.relu)
        if not known:
            raise RecipeError(
                f"{self._name} in integers",
                f"has {operation.name!r}, a {kind}, of which the integers are not known",
                "train a network of convolutions with ReLU, and sums",
            )
        if not isinstance(operation, keras.layers.Layer):
            return operation
        made = RoundedConv2D if kind == "Conv2D" else type(operation)
        return made.from_config(operation.get_config())

    def __call__(self, operation: Any, *args: Any, **options: Any) -> Any:
        """Applies an operation."""
        if type(operation).__name__ in _MOVES:
            result = self._move(operation, *args)
        else:
            result = self._compute(operation, *args, **options)
        self._kept.append(result)
        return result

    def _move(self, operation: Any, value: Tensor) -> Tensor:
        """Moves a value. One that is not rounded is so later, where it is used."""
        value = self._rounded.get(id(value), value)
        result = operation(value)
        if id(value) in self._rounded:
            self._rounded[id(result)] = result
        if id(value) in self._positive:
            self._positive.add(id(result))
        if id(value) in self._rounders:
            self._rounders[id(result)] = self._rounders[id(value)]
        return result

    def _compute(self, operation: Any, *args: Any, **options: Any) -> Tensor:
        # What is joined has one scale. Only the level of the noise is, with the picture.
        joins = type(operation).__name__ == "Concatenate"
        rounder = None
        if type(operation).__name__ == "Add":
            rounder = self._share_scale(keras.tree.flatten(args))
        args = keras.tree.map_structure(lambda value: self._round(value, picture=joins), args)
        result = operation(*args, **options)
        if joins:
            self._rounded[id(result)] = result
        if rounder is not None:
            self._rounders[id(result)] = rounder
        activation = getattr(operation, "activation", None)
        if type(operation).__name__ == "Absolute" or activation is keras.activations.relu:
            self._positive.add(id(result))
        return result

    def _share_scale(self, values: Sequence[Tensor]) -> Rounded | None:
        """Has all of these rounded alike, unless some of them are rounded otherwise already."""
        known = {id(each): each for value in values if (each := self._rounders.get(id(value)))}
        is_positive = any(id(value) in self._positive for value in values)
        if is_positive or len(known) > 1 or any(each.low == 0 for each in known.values()):
            return None
        rounder = next(iter(known.values()), None)
        if rounder is None:
            rounder = _make_rounder(values[0], signed=True, picture=False)
        for value in values:
            self._rounders[id(value)] = rounder
        return rounder

    def _round(self, value: Tensor, *, picture: bool) -> Tensor:
        if id(value) not in self._rounded:
            rounder = self._rounders.get(id(value))
            if rounder is None:
                signed = not picture and id(value) not in self._positive
                rounder = _make_rounder(value, signed=signed, picture=picture)
            result = rounder(value)
            self._rounders[id(value)] = self._rounders[id(result)] = rounder
            self._rounded[id(value)] = self._rounded[id(result)] = result
            self._kept += value, result
        return self._rounded[id(value)]


def _make_rounder(value: Tensor, *, signed: bool, picture: bool) -> Rounded:
    name = f"{value._keras_history.operation.name}_rounded"
    return Rounded(signed=signed, picture=picture, name=name)


def _widest(values: np.ndarray, layer: Rounded) -> float:
    """The smallest scale that cuts off none of these values."""
    negative = values.min() / layer.low if layer.low else 0.0
    return max(float(values.max()) / layer.high, float(negative), _LEAST)


def _squared_error(values: np.ndarray, scale: float, layer: Rounded) -> float:
    rounded = scale * np.clip(np.rint(values / scale), layer.low, layer.high)
    return float(np.mean(np.square(values - rounded)))


def _round(values: Tensor) -> Tensor:
    """Rounds, with the gradient of what is not rounded."""
    return values + keras.ops.stop_gradient(keras.ops.round(values) - values)
