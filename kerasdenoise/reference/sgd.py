"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasdenoise.errors import UsageError


class SGD:
    """Gradient descent with momentum, as `keras.optimizers.SGD` does it.

    `v = momentum * v - learning_rate * gradient; parameter = parameter + v`, with v = 0 at the
    start. Without momentum that is `parameter - learning_rate * gradient`, Dai and Liu's.

    Args:
        parameters: What is trained; changed in place.
        learning_rate: Above 0. Theirs is 0.1, with batches of 16.
        momentum: From 0 to below 1.

    Raises:
        UsageError: If a number is out of its range.
    """

    def __init__(
        self,
        parameters: Sequence[np.ndarray],
        *,
        learning_rate: float = 0.1,
        momentum: float = 0.0,
    ) -> None:
        if not learning_rate > 0:
            raise UsageError(f"learning rate {learning_rate}", "is not above 0", "give 0.1")
        if not 0 <= momentum < 1:
            raise UsageError(f"momentum {momentum}", "is not from 0 to below 1", "give 0 for none")
        self._parameters = list(parameters)
        self._velocities = [np.zeros_like(parameter) for parameter in self._parameters]
        self._learning_rate = learning_rate
        self._momentum = momentum

    def step(self, gradients: Sequence[np.ndarray]) -> None:
        """Changes the parameters, each by its gradient.

        Args:
            gradients: One for each parameter, of its shape, after a backward pass.

        Raises:
            UsageError: If their number or a shape differs; then nothing was changed.
        """
        shapes = [gradient.shape for gradient in gradients]
        expected = [parameter.shape for parameter in self._parameters]
        if shapes != expected:
            raise UsageError(
                f"gradients {shapes}",
                f"are not those of parameters {expected}",
                "run a backward pass of the same modules before the step",
            )
        for parameter, velocity, gradient in zip(
            self._parameters, self._velocities, gradients, strict=True
        ):
            velocity *= self._momentum
            velocity -= self._learning_rate * gradient
            parameter += velocity
