"""What training takes: the strided autoencoder, its loss and gradient descent."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.reference.modules import (
    Convolution,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    TransposedConvolution,
)
from kerasdenoise.reference.windows import Windows


def build_strided_autoencoder(
    channels: int = 3,
    widths: Sequence[int] = (48, 96),
    *,
    padding: Literal["same"] | int = "same",
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Sequential:
    """Builds the autoencoder: noisy images to denoised ones in [0, 1].

    Dai and Liu's network for Noise2Noise, of their course project at EPFL (EE-559): a 3x3
    convolution of stride 2 for each width, as many transposed ones back, ReLU between them and
    a sigmoid at the end; 85,731 parameters. With "same" it is the Keras network, parameter by
    parameter; with a padding of 1 it is theirs.

    Args:
        channels: Channels of the images.
        widths: Channels of each level, from half resolution downwards.
        padding: As in `Windows`.
        seed: What the parameters are drawn from.
        dtype: Type of the parameters, float32 or float64.

    Returns:
        A module from (batch, height, width, channels) to the same shape; sides are multiples
        of `2 ** len(widths)`.

    Raises:
        ModelError: If a number is below 1 or there is no width.
    """
    if not widths or min(*widths, channels) < 1:
        raise ModelError(
            f"strided_autoencoder widths {tuple(widths)}, channels {channels}",
            "are empty or have a number below 1",
            "give a positive number for each level",
        )
    windows = Windows((3, 3), (2, 2), padding)
    rng = np.random.default_rng(seed)
    levels = [channels, *widths]
    modules: list[Module] = []
    for before, after in itertools.pairwise(levels):
        modules += [Convolution(before, after, windows, rng=rng, dtype=dtype), ReLU()]
    for before, after in itertools.pairwise(reversed(levels)):
        modules += [TransposedConvolution(before, after, windows, rng=rng, dtype=dtype), ReLU()]
    return Sequential([*modules[:-1], Sigmoid()])


def mean_squared_error(denoised: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of `(denoised - target)^2` over all values of all images, and its gradient.

    The gradient by `denoised` is `2 * (denoised - target) / n` for n values. Dai and Liu's
    report leaves out the mean and has the sign of the gradient reversed; their learning rate
    is that of the mean.

    Args:
        denoised: Numbers of any shape.
        target: Numbers of the same shape: clean images, or noisy ones in Noise2Noise training.

    Returns:
        The loss, and the gradient, of the shape of `denoised`.

    Raises:
        UsageError: If the shapes differ.
    """
    if denoised.shape != target.shape:
        raise UsageError(
            f"a target {target.shape}",
            f"differs in shape from the images {denoised.shape}",
            "give a target for each value",
        )
    error = denoised - target
    return float(np.mean(np.square(error))), 2 * error / error.size


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
