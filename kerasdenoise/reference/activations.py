"""Functions of each value by itself."""

from __future__ import annotations

import numpy as np

from kerasdenoise.reference.module import Module


class ReLU(Module):
    """`forward: max(x, 0)`; `backward: g where x > 0, else 0`, as Keras has it at 0."""

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Sets negative values to 0; see `Module.forward`."""
        return self._keep(np.maximum(inputs, 0), inputs > 0)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Passes the gradient where the input was positive; see `Module.backward`."""
        return gradient * self._recall(gradient)


class Sigmoid(Module):
    """`forward: S(x) = 1 / (1 + exp(-x))`; `backward: g * S(x) * (1 - S(x))`.

    Dai and Liu's report prints the derivative as "S(x) S(1 - x)", which it is not.
    """

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Takes any number to between 0 and 1; see `Module.forward`."""
        # The logarithm of the formula, so that a large exponential does not overflow.
        outputs = np.exp(-np.logaddexp(0, -inputs))
        return self._keep(outputs, outputs)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Multiplies with the derivative; see `Module.backward`."""
        outputs = self._recall(gradient)
        return gradient * outputs * (1 - outputs)
