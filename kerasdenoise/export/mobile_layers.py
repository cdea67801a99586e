"""This package's layers, made of what the GPUs and NPUs of phones have.

They lack exponentials, logarithms and products of two computed matrices. Weights are those of the
layers themselves.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasdenoise.layers.diffusion_step import DiffusionStep, IterationGates
from kerasdenoise.layers.lambda_layer import LambdaLayer, convolve, correlate, project
from kerasdenoise.layers.p1_coefficient import EdgeIndicator, P1Coefficient
from kerasdenoise.tensors import Tensor

# Terms of the series of a logarithm, of which what is left is below 1e-7.
_TERMS = 6


def decay(x: Tensor) -> Tensor:
    """Gives exp(-x) of numbers of 0 or above."""
    ops = keras.ops
    # Small results stay as accurate as large ones, which 1 / sigmoid(x) - 1 would not.
    return ops.sigmoid(-x) / ops.sigmoid(x)


def softplus(x: Tensor) -> Tensor:
    """Gives log(1 + exp(x)), as relu(x) + log(1 + exp(-|x|)).

    log(1 + z) is twice the inverse hyperbolic tangent of w = z / (2 + z), and that is an odd series
    in w, which here is at most 1/3.
    """
    ops = keras.ops
    share = ops.sigmoid(ops.abs(x))
    w = (1 - share) / (1 + share)
    square = w * w
    series = 1 / (2 * _TERMS - 1)
    for term in range(_TERMS - 2, -1, -1):
        series = series * square + 1 / (2 * term + 1)
    return ops.relu(x) + 2 * w * series


class MobileLambdaLayer(LambdaLayer):
    """A lambda layer of convolutions, and of products of a number with a number.

    Each channel of a head has a column of the lambdas of its own: `key_depth` channels of an image
    for the positional lambda, and of a single pixel for the content lambda. The queries are
    multiplied by their sum, and a convolution of ones adds up the products of each head. The
    softmax's sums are means over a row and then over rows, which 16-bit floats hold.
    """

    def call(
        self,
        inputs: Tensor,
        context: Tensor | None = None,
        summarize: bool = False,
        training: bool | None = None,
    ) -> Tensor:
        """Returns the result, of images seen as a whole."""
        del context, summarize
        depth, intra, heads, wide = (
            self.key_depth,
            self.intra_depth,
            self.heads,
            self._head_channels,
        )
        queries = self._pick(self._queries(inputs, training=training), inputs, heads * depth)
        matrix = self._values(inputs, training=training)
        weights, total = self._weigh(inputs)
        # The values of a group of keys, for each of its keys.
        spread = np.kron(np.eye(intra), np.ones((1, depth)))
        result = None
        for channel in range(wide):
            chosen = np.eye(wide * intra)[:, channel * intra : (channel + 1) * intra]
            values = self._pick(matrix, inputs, chosen)
            column = correlate(values, self._embedding)
            content = _mean(weights * self._pick(matrix, inputs, chosen @ spread)) / total
            # Summed over the groups of keys.
            content = _convolve_fixed(content, np.tile(np.eye(depth), (intra, 1)))
            columns = keras.ops.concatenate([column + content] * heads, axis=-1)
            # The heads follow each other, each with its channels.
            place = np.eye(heads * wide)[channel::wide]
            added = _convolve_fixed(queries * columns, np.repeat(place, depth, axis=0))
            result = added if result is None else result + added
        return result

    def _pick(self, projection: Tensor, inputs: Tensor, matrix: np.ndarray | int) -> Tensor:
        """Multiplies what pixels are projected to by a matrix, or, given a number, does not."""
        if self.normalization == "layer":  # it is given as an image
            return projection if isinstance(matrix, int) else _convolve_fixed(projection, matrix)
        if not isinstance(matrix, int):
            fixed = keras.ops.convert_to_tensor(matrix, self.compute_dtype)
            projection = keras.ops.matmul(projection, fixed)
        return project(inputs, projection)

    def _weigh(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Gives the exponentials of the keys, of which the largest is 1, and their mean."""
        ops = keras.ops
        keys = convolve(inputs, ops.reshape(self._keys, (1, 1, *self._keys.shape)))
        largest = ops.max(ops.max(keys, axis=2, keepdims=True), axis=1, keepdims=True)
        weights = ops.sigmoid(keys - largest) / ops.sigmoid(largest - keys)
        return weights, _mean(weights)


class MobileDiffusionStep(DiffusionStep):
    """A step of diffusion without exponentials."""

    def _diffusivity(self, square: Tensor, contrast: Tensor) -> Tensor:
        if self.function != "exponential":
            return super()._diffusivity(square, contrast)
        return decay(square * (1 / keras.ops.square(contrast)))


class MobileEdgeIndicator(EdgeIndicator):
    """An edge indicator without logarithms."""

    _softplus = staticmethod(softplus)


class MobileIterationGates(IterationGates):
    """Gates without logarithms."""

    _softplus = staticmethod(softplus)


class MobileP1Coefficient(P1Coefficient):
    """A P1 function as a sum of ReLUs of one convolution, of which each knot is a channel.

    A ramp from 0 to 1 after a knot is 1 - relu(1 - relu(distance)). In 16-bit floats a sum of
    ramps is more accurate than one of ReLUs that rise without end.
    """

    _softplus = staticmethod(softplus)

    def call(self, indicator: Tensor, thetas: Tensor, top: Tensor) -> Tensor:
        """Returns the coefficient."""
        if self.degree > 1:
            return super().call(indicator, thetas, top)
        ops, pieces = keras.ops, self.pieces
        values = self.values(thetas)
        knots = ops.convert_to_tensor(np.arange(pieces).reshape(1, 1, 1, -1), self.compute_dtype)
        place = _convolve_fixed(indicator * (pieces / top), np.ones((1, pieces)))
        ramps = 1 - ops.relu(1 - ops.relu(place - knots))
        # The columns that choose the values at both ends of each piece.
        step = 1 if self.continuous else 2
        chosen = np.eye(self.count)
        left = chosen[:, : step * pieces : step]
        right = chosen[:, 1::step][:, :pieces]
        terms = ramps * _convolve_fixed(values, right - left)
        if not self.continuous:
            jumps = left - np.concatenate([left[:, :1], right[:, :-1]], axis=1)
            reached = 1 - ops.cast(knots > place, self.compute_dtype)
            terms = terms + reached * _convolve_fixed(values, jumps)
        return values[..., :1] + _convolve_fixed(terms, np.ones((pieces, 1)))


def _mean(x: Tensor) -> Tensor:
    rows = keras.ops.mean(x, axis=2, keepdims=True)
    return keras.ops.mean(rows, axis=1, keepdims=True)


def _convolve_fixed(x: Tensor, matrix: Any) -> Tensor:
    """Multiplies the channels of each pixel by a matrix."""
    kernel = np.asarray(matrix)[np.newaxis, np.newaxis]
    return convolve(x, keras.ops.convert_to_tensor(kernel, x.dtype))
