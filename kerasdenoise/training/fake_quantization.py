"""A network that computes in training what its file of 8-bit integers will compute."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import RecipeError
from kerasdenoise.models import Config, Primitives, find_builder
from kerasdenoise.models._parts import find_layers
from kerasdenoise.tensors import Tensor

# What 8 bits hold. Weights leave out the lowest number, so that they are symmetric.
_SIGNED = (-128, 127)
_UNSIGNED = (0, 255)
_WEIGHT = 127

# The scale of a picture: 256 values from black to white.
_PIXEL = 1 / 255

# How much faster than weights the logarithms of scales learn: an optimizer moves both by about
# the learning rate at each step, which for a scale is next to nothing.
_PACE = 20

# A scale is sought between the one that cuts off nothing and this share of it.
_SHARES = np.geomspace(1, 0.05, 40)
_SAMPLES = 200_000
# For a tensor that is zero throughout.
_LEAST = _PIXEL / 100

_NO_INTEGERS = (
    "has layers of which the integers are not known",
    "train a network of convolutions with ReLU, and sums: unet",
)


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


@dataclasses.dataclass
class _Value:
    """A tensor of a network that is being built, and how it is rounded where it is used.

    Attributes:
        tensor: The tensor, of values that are not rounded.
        name: What made it.
        is_positive: Whether it is never negative.
        rounder: What rounds it, if that is known: of one that is rounded, and of a sum.
        rounded: What it is rounded to, from when it was used first.
    """

    tensor: Tensor
    name: str
    is_positive: bool = False
    rounder: Any = None
    rounded: Tensor = None


class RoundingPrimitives(Primitives):
    """Makes networks whose convolutions and sums get rounded values.

    A value is rounded where it is used, once for all uses.

    A sum and what it is of have one scale. Then the sum of rounded values needs no rounding, and
    of all the sums in a row, each on top of the last, only what is added is rounded.

    Args:
        base: What computes with the rounded values.
    """

    def __init__(self, base: Primitives) -> None:
        super().__init__()
        self._base = base
        self.kernels = base.kernels

    def round_picture(self, picture: Tensor, name: str) -> Tensor:
        """Rounds to 256 values from black to white."""
        return self._make_rounder(name, signed=False, picture=True)(picture)

    def take(self, tensor: Tensor, name: str, *, is_picture: bool) -> _Value:
        """Takes an input."""
        return _Value(tensor, name, rounded=tensor if is_picture else None)

    def give(self, value: _Value) -> Tensor:
        """Gives the tensor of an output, not rounded."""
        return value.tensor

    def convolve(
        self, x: _Value, filters: int, kernel: int, name: str, strides: int = 1, **options: Any
    ) -> _Value:
        """Convolves."""
        made = self._base.convolve(self._round(x), filters, kernel, name, strides, **options)
        return _Value(made, name, is_positive="activation" in options)

    def gather(
        self, x: _Value, block: int, filters: int, kernel: int, name: str, **options: Any
    ) -> _Value:
        """Moves blocks of pixels into channels, and convolves."""
        made = self._base.gather(self._round(x), block, filters, kernel, name, **options)
        return _Value(made, name, is_positive="activation" in options)

    def spread(
        self, x: _Value, block: int, filters: int, kernel: int, name: str, **options: Any
    ) -> _Value:
        """Convolves, and moves channels into blocks of pixels."""
        made = self._base.spread(self._round(x), block, filters, kernel, name, **options)
        return _Value(made, name, is_positive="activation" in options)

    def enlarge(self, x: _Value, block: int, name: str) -> _Value:
        """Makes a block of equal pixels of each pixel."""
        return _Value(self._base.enlarge(self._round(x), block, name), name)

    def absolute(self, x: _Value, name: str) -> _Value:
        """Gives the absolute values."""
        return _Value(self._base.absolute(self._round(x), name), name, is_positive=True)

    def join(self, values: Sequence[_Value], name: str) -> _Value:
        """Puts pictures behind each other, all of which have the scale of pictures."""
        made = self._base.join([self._round(value, picture=True) for value in values], name)
        return _Value(made, name, rounded=made)

    def add(self, values: Sequence[_Value], name: str) -> _Value:
        """Adds, on one scale if that can be."""
        rounder = self._share_scale(values)
        made = self._base.add([self._round(value) for value in values], name)
        return _Value(made, name, rounder=rounder)

    def subtract(self, x: _Value, y: _Value, name: str) -> _Value:
        """Subtracts the second from the first."""
        return _Value(self._base.subtract(self._round(x), self._round(y), name), name)

    def layer(self, kind: type[Any], *args: Any, **options: Any) -> Any:
        """Refuses a layer of this package.

        Raises:
            RecipeError: Always, as its integers are not known.
        """
        raise RecipeError(f"{kind.__name__} in integers", *_NO_INTEGERS)

    def _share_scale(self, values: Sequence[_Value]) -> Any:
        """Has all of these rounded alike, unless some of them are rounded otherwise already."""
        known = list({id(each.rounder): each.rounder for each in values if each.rounder}.values())
        is_positive = any(value.is_positive for value in values)
        if is_positive or len(known) > 1 or any(rounder.low == 0 for rounder in known):
            return None
        rounder = known[0] if known else self._round_as(values[0], signed=True, picture=False)
        for value in values:
            value.rounder = rounder
        return rounder

    def _round(self, value: _Value, *, picture: bool = False) -> Tensor:
        if value.rounded is None:
            if value.rounder is None:
                signed = not picture and not value.is_positive
                value.rounder = self._round_as(value, signed=signed, picture=picture)
            value.rounded = value.rounder(value.tensor)
        return value.rounded

    def _round_as(self, value: _Value, *, signed: bool, picture: bool) -> Any:
        return self._make_rounder(f"{value.name}_rounded", signed=signed, picture=picture)

    def _make_rounder(self, name: str, *, signed: bool, picture: bool) -> Any:
        """Makes the layer that rounds."""
        return Rounded(signed=signed, picture=picture, name=name)


def build_rounded(architecture: str, config: Config) -> keras.Model:
    """Builds a network that rounds its weights and values as an integer file does.

    Args:
        architecture: The architecture's name.
        config: The network's settings.

    Returns:
        A functional model of noisy images, with the layers of the plain network and a scale for
        each tensor.

    Raises:
        RecipeError: It has more than one input, or is not built of what has integers here.
    """
    if config.noise_level:
        raise RecipeError(
            f"{architecture} in integers",
            "is told the noise level, and an integer file is given an image alone",
            "train a network that estimates the level by itself, or does without",
        )
    build = find_builder(architecture, config)
    if build is None:
        raise RecipeError(f"{architecture} in integers", *_NO_INTEGERS)
    return build(RoundingPrimitives(Primitives(RoundedConv2D)))


def set_scales(network: keras.Model, noisy: Sequence[Tensor]) -> None:
    """Sets the scales of a rounded network to those of the least squared error.

    Args:
        network: Made by `build_rounded`, with its weights.
        noisy: Float32 batches of what it will see.
    """
    rng = np.random.default_rng(0)
    layers = [each for each in find_layers(network) if isinstance(each, Rounded)]
    # From the first to the last, as each gets what those before it left. A scale that several
    # tensors have is set by the first of them, so that the others are not cut off, and then by all.
    for count in (1, None):
        for layer in layers:
            if layer.picture:
                continue
            seen = [
                values.ravel()
                for batch in noisy
                for values in observe(layer, network, batch)[:count]
            ]
            widest = max(_widest(values, layer) for values in seen)
            sample = rng.choice(np.concatenate(seen), _SAMPLES)
            errors = [_squared_error(sample, widest * share, layer) for share in _SHARES]
            layer.scale = widest * _SHARES[np.argmin(errors)]


def observe(layer: Any, network: keras.Model, noisy: Tensor) -> list[np.ndarray]:
    """Returns what a `Rounded` layer of a network is applied to, one after the other."""
    seen = []
    call = layer.call

    def observed(values: Tensor) -> Tensor:
        seen.append(keras.ops.convert_to_numpy(values))
        return call(values)

    layer.call = observed
    try:
        network(noisy, training=False)
    finally:
        vars(layer).pop("call")
    return seen


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
