"""A diffusion coefficient that is a piecewise linear function of edge strength."""

from __future__ import annotations

import math
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers._softplus import softplus
from kerasdenoise.tensors import Tensor

# Values at the knots start at least this share of their range away from its ends, where the
# sigmoid has no derivative.
_MARGIN = 0.01
_SMALLEST_FALL = 1e-3


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

    Call arguments:
        indicator: s, 0 or above, (batch, height, width, 1).
        thetas: (batch or 1, 1, 1, `count`), or for each pixel, (batch, height, width, `count`).
        top: The last knot, above 0, (batch or 1, 1, 1, 1).

    Returns:
        g(s), float32 (batch, height, width, 1).

    Raises:
        ModelError: If there is no piece, or `backward` or `roughness` is negative.
    """

    def __init__(
        self,
        pieces: int = 20,
        monotone: bool = False,
        continuous: bool = True,
        backward: float = 0.1,
        roughness: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **options})
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
                logits.append(logits[-1] - softplus(thetas[..., i : i + 1]))
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
        """Counts the multiplications for each pixel: its place, and one for each piece."""
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
        }

    def _penalize(self, values: Tensor) -> Tensor:
        if not self.continuous:  # the left ends, and the last right one
            values = keras.ops.concatenate([values[..., 0::2], values[..., -1:]], axis=-1)
        bend = values[..., :-2] - 2 * values[..., 1:-1] + values[..., 2:]
        return self.roughness * keras.ops.mean(keras.ops.sum(keras.ops.square(bend), axis=-1))
