"""A piecewise linear coefficient of diffusion, and the edge indicator that it is a function of."""

from __future__ import annotations

import math
from typing import Any, cast

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor
from kerasdenoise.tensors.calculus import softplus, square_gradient, take_differences

# Keeps the derivative of the root finite in flat areas.
_FLAT = 1e-3
# With these the indicator of convolutions that are not trained yet is near 0 where an image is
# flat, about 0.2 for noise of 25/255 or at an edge of half the range.
_GAIN = 30.0
_OFFSET = -3.0

# The merged maximum of n parts is too small by at most log(n) over this.
_WEIGHT = 10_000.0

# Values at the knots start at least this share of their range away from its ends, where the
# sigmoid has no derivative.
_MARGIN = 0.01
_SMALLEST_FALL = 1e-3


@keras.saving.register_keras_serializable("kerasdenoise")
class EdgeIndicator(keras.layers.Layer):
    """Returns a number for each pixel, 0 or above, that rises with the strength of its edge.

    Without convolutions that is the norm s of the gradient, over both directions and all
    channels: sqrt(s^2 + d^2) - d with d = 0.001, whose derivative is at most 1. With them it is

        softplus(conv3x3( ... relu(conv3x3(relu([D, -D])))))

    of the differences D in both directions and all channels, so it depends on a pixel's
    surroundings, but not on brightness. The last convolution starts as a mean over its window.
    The slides on learned anisotropic diffusion use some convolutional layers here, so that the
    network sees what happens around a pixel; they do not say which.

    Args:
        convolutions: Number of 3x3 convolutions; 0 for the gradient's norm.
        width: Channels between them.

    Call arguments:
        image: (batch, height, width, channels).

    Returns:
        The indicator, float32 (batch, height, width, 1).

    Raises:
        ModelError: If there are fewer than 0 convolutions or less than one channel.
    """

    _softplus = staticmethod(softplus)

    def __init__(self, convolutions: int = 0, width: int = 8, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if convolutions < 0 or width < 1:
            raise ModelError(
                f"edge indicator of {convolutions} convolutions and width {width}",
                "has too small a number",
                "give 0 or more convolutions and 1 or more channels",
            )
        self.convolutions = convolutions
        self.width = width
        self._hidden = [
            keras.layers.Conv2D(
                width,
                3,
                padding="same",
                data_format="channels_last",
                activation="relu",
                kernel_initializer="he_normal",
                dtype=self.dtype_policy,
                name=f"conv_{index}",
            )
            for index in range(convolutions - 1)
        ]

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the weights."""
        channels = 4 * cast(int, shape[-1])
        shape = (*shape[:-1], channels)
        if self.convolutions:
            for layer in self._hidden:
                layer.build(shape)
                shape = layer.compute_output_shape(shape)
                channels = self.width
            self._last = keras.layers.Conv2D(
                1,
                3,
                padding="same",
                data_format="channels_last",
                kernel_initializer=keras.initializers.Constant(_GAIN / (9 * channels)),
                bias_initializer=keras.initializers.Constant(_OFFSET),
                dtype=self.dtype_policy,
                name="last",
            )
            self._last.build(shape)
        self.built = True

    def call(self, image: Tensor) -> Tensor:
        """Returns the indicator."""
        right, below = take_differences(image)
        if not self.convolutions:
            return keras.ops.sqrt(square_gradient(right, below) + _FLAT**2) - _FLAT
        x = keras.ops.relu(keras.ops.concatenate([right, below, -right, -below], axis=-1))
        for layer in self._hidden:
            x = layer(x)
        return self._softplus(self._last(x))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the indicator."""
        return (*shape[:-1], 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "convolutions": self.convolutions,
            "width": self.width,
        }


@keras.saving.register_keras_serializable("kerasdenoise")
class GlobalMaximum(keras.layers.Layer):
    """Returns the largest value of each channel in a whole image.

    No gradient flows back through it. In a model, apply it with `Inputs.pass_context`, so that an
    image can be denoised in tiles.

    Args:
        floor: The smallest result.

    Call arguments:
        inputs: (batch, height, width, channels).
        summarize: Whether to return only the maximum without the floor, and its weight, a
            large multiple of it, both (batch, 1, 1, channels).
        context: Such a maximum, to use instead of that of `inputs`.

    Returns:
        The maximum, or the floor if it is larger, float32 (batch, 1, 1, channels).
    """

    def __init__(self, floor: float = 1e-3, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        self.floor = floor

    def call(
        self, inputs: Tensor, summarize: bool = False, context: Tensor | None = None
    ) -> Tensor:
        """Returns the maximum."""
        if context is None:
            inputs = keras.ops.stop_gradient(inputs)
            context = keras.ops.max(inputs, axis=(1, 2), keepdims=True)
        if summarize:
            return context, keras.ops.multiply(context, _WEIGHT)
        return keras.ops.maximum(context, self.floor)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the maximum."""
        return (shape[0], 1, 1, shape[-1])

    def compute_output_spec(
        self, inputs: Tensor, summarize: bool = False, context: Tensor | None = None
    ) -> keras.KerasTensor | tuple[keras.KerasTensor, keras.KerasTensor]:
        """Returns the results of `call` as symbols."""
        maximum = keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)
        if not summarize:
            return maximum
        return maximum, keras.KerasTensor(maximum.shape, maximum.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "floor": self.floor}


@keras.saving.register_keras_serializable("kerasdenoise")
class P1Coefficient(keras.layers.Layer):
    """Maps an edge indicator s to a diffusion coefficient g(s), linear in each of N pieces.

    The knots are t_i = i * top / N, i = 0 ... N, and with h = top / N the function is the sum
    of c_i * max(0, 1 - |s/h - i|): continuous, through c_i at t_i, and constant beyond the last
    knot. The values are c_i = -gamma + (1 + gamma) * sigmoid(theta_i), gamma being `backward`,
    so that g is in [-gamma, 1]. A negative coefficient sharpens; a `DiffusionStep` with it
    enlarges values by a factor of 1 + 8 * tau * gamma at most, 1.16 at tau = 0.2 and
    gamma = 0.1, and with gamma = 0 not at all.

    This comes from the slides on learned anisotropic diffusion, which divide the range from 0 to
    the image's largest gradient into equal pieces with an affine function each, and call them P1
    functions. They do not bound the values or say how pieces meet.

    The slides also name splines of higher degree, and argue that they are not needed. With
    `degree` 2 or 3 the hats are replaced by B-splines of that degree, centered at the knots; the
    values beyond both ends are those at the ends. g then is smooth, still in [-gamma, 1], and
    still falls if the values do, but passes near them, not through them.

    Args:
        pieces: N, the number of pieces.
        monotone: Whether g falls from knot to knot. If so, theta_i is replaced by
            theta_0 - softplus(theta_1) - ... - softplus(theta_i).
        continuous: Whether pieces meet. If not, each has its own value at both ends: 2 * N thetas
            in the order left, right, left, right ...
        backward: gamma, how far below zero g may go, 0 or above.
        roughness: Weight mu of the penalty mu * sum((c_(i-1) - 2 * c_i + c_(i+1))^2), the mean
            over the batch, that each call adds to the losses. Fine partitions have steep
            slopes, and with them large gradients.
        degree: 1, or 2 or 3 for smooth splines, whose pieces meet.

    Call arguments:
        indicator: s, 0 or above, (batch, height, width, 1).
        thetas: (batch or 1, 1, 1, `count`), or for each pixel, (batch, height, width, `count`).
        top: The last knot, above 0, (batch or 1, 1, 1, 1).

    Returns:
        g(s), float32 (batch, height, width, 1).

    Raises:
        ModelError: If there is no piece, `backward` or `roughness` is negative, or `degree` is
            not 1 to 3, or above 1 though pieces do not meet.
    """

    _softplus = staticmethod(softplus)

    def __init__(
        self,
        pieces: int = 20,
        monotone: bool = False,
        continuous: bool = True,
        backward: float = 0.1,
        roughness: float = 0.0,
        degree: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if degree not in (1, 2, 3) or (degree > 1 and not continuous):
            raise ModelError(
                f"P1 function of degree {degree}, continuous={continuous}",
                "is none of the splines that can be computed",
                "give degree 1, or 2 or 3 with pieces that meet",
            )
        if pieces < 1:
            raise ModelError(f"P1 function of {pieces} pieces", "has none", "give 1 or more")
        if backward < 0 or roughness < 0:
            raise ModelError(
                f"P1 function with backward={backward}, roughness={roughness}",
                "has a negative setting",
                "give 0 for none",
            )
        self.pieces = pieces
        self.monotone = monotone
        self.continuous = continuous
        self.backward = backward
        self.roughness = roughness
        self.degree = degree

    @property
    def count(self) -> int:
        """The number of thetas."""
        return self.pieces + 1 if self.continuous else 2 * self.pieces

    def start(self, contrast: float) -> list[float]:
        """The thetas that make g Perona and Malik's exponential function at the knots.

        It stays at least 1 % away from the ends of the range of g.

        Args:
            contrast: Their lambda, as a share of `top`.
        """
        knots = [i / self.pieces for i in range(self.pieces + 1)]
        if not self.continuous:
            knots = [knots[(i + 1) // 2] for i in range(self.count)]
        shares = [
            (math.exp(-((t / contrast) ** 2)) + self.backward) / (1 + self.backward) for t in knots
        ]
        shares = [min(max(share, _MARGIN), 1 - _MARGIN) for share in shares]
        logits = [math.log(share / (1 - share)) for share in shares]
        if not self.monotone:
            return logits
        falls = [max(logits[i - 1] - logits[i], _SMALLEST_FALL) for i in range(1, self.count)]
        return [logits[0], *(math.log(math.expm1(fall)) for fall in falls)]

    def values(self, thetas: Tensor) -> Tensor:
        """The values c of g at the knots, of the shape of `thetas`."""
        if self.monotone:
            logits = [thetas[..., :1]]
            for i in range(1, self.count):
                logits.append(logits[-1] - self._softplus(thetas[..., i : i + 1]))
            thetas = keras.ops.concatenate(logits, axis=-1)
        return (1 + self.backward) * keras.ops.sigmoid(thetas) - self.backward

    def call(self, indicator: Tensor, thetas: Tensor, top: Tensor) -> Tensor:
        """Returns the coefficient."""
        ops = keras.ops
        values = self.values(thetas)
        if self.roughness:
            self.add_loss(self._penalize(values))
        knots = [values[..., i : i + 1] for i in range(self.count)]
        lefts, rights = (knots[:-1], knots[1:]) if self.continuous else (knots[0::2], knots[1::2])
        place = indicator * (self.pieces / top)
        if self.degree > 1:
            return self._add_splines(ops.clip(place, 0.0, float(self.pieces)), knots)
        # Piece by piece, so that no tensor has as many channels as there are knots. A sum of
        # hats is the same as one of ramps, which also are constant beyond the last knot.
        coefficient = lefts[0]
        for i, (left, right) in enumerate(zip(lefts, rights, strict=True)):
            if i and not self.continuous:
                beyond = ops.cast(place >= i, place.dtype)
                coefficient = coefficient + (left - rights[i - 1]) * beyond
            coefficient = coefficient + (right - left) * ops.clip(place - i, 0.0, 1.0)
        return coefficient

    def mac_per_position(self) -> int:
        """Counts the multiplications for each pixel: its place, and those of each piece.

        A smooth spline takes two powers and two products for each knot and the one beyond.
        """
        if self.degree > 1:
            return 1 + (self.pieces + 3) * 2 * self.degree
        jumps = 0 if self.continuous else self.pieces - 1
        return 1 + self.pieces + jumps

    def compute_output_shape(
        self, indicator_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Returns the shape of `indicator`."""
        return indicator_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "pieces": self.pieces,
            "monotone": self.monotone,
            "continuous": self.continuous,
            "backward": self.backward,
            "roughness": self.roughness,
            "degree": self.degree,
        }

    def _add_splines(self, place: Tensor, knots: list[Tensor]) -> Tensor:
        """Adds up the B-splines around a place in pieces, 0 to their number."""
        coefficient = 0.0
        for i in range(-1, self.pieces + 2):
            value = knots[min(max(i, 0), self.pieces)]
            coefficient = coefficient + value * _find_spline(place - i, self.degree)
        return coefficient

    def _penalize(self, values: Tensor) -> Tensor:
        if not self.continuous:  # the left ends, and the last right one
            values = keras.ops.concatenate([values[..., 0::2], values[..., -1:]], axis=-1)
        bend = values[..., :-2] - 2 * values[..., 1:-1] + values[..., 2:]
        return self.roughness * keras.ops.mean(keras.ops.sum(keras.ops.square(bend), axis=-1))


def _find_spline(distance: Tensor, degree: int) -> Tensor:
    """The B-spline of degree 2 or 3 around 0, whose sum over all whole distances is 1."""
    ops = keras.ops
    far, near, weight, scale = (1.5, 0.5, 3.0, 2.0) if degree == 2 else (2.0, 1.0, 4.0, 6.0)
    away = ops.abs(distance)
    outer, inner = ops.relu(far - away), ops.relu(near - away)
    if degree == 2:
        return (outer * outer - weight * inner * inner) / scale
    return (outer * outer * outer - weight * inner * inner * inner) / scale
