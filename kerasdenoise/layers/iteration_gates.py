"""Chooses the number of diffusion steps for an image by its noise level."""

from __future__ import annotations

import math
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers._softplus import softplus
from kerasdenoise.tensors import Tensor


@keras.saving.register_keras_serializable("kerasdenoise")
class IterationGates(keras.layers.Layer):
    """Opens the first of a fixed number of diffusion steps: more for noisier images.

    White noise of standard deviation sigma that diffuses for a time t keeps a variance of about
    sigma^2 / (8 pi t). So epsilon is left after this number of steps:

        T = sigma^2 / (8 pi epsilon^2 tau), limited to 1 to `steps`,

    and step n = 1 ... `steps` is open by sigmoid(kappa * (T - n + 1/2)). All steps are always
    computed, so that the graph does not depend on the noise. T is limited by
    1 + softplus(T - 1) - softplus(T - steps), which has a derivative everywhere. Epsilon and
    kappa are trained, as their logarithms, because the formula knows nothing about edges in real
    images.

    The slides on learned anisotropic diffusion propose to choose the number of iterations by
    the noise, but do not say how.

    Args:
        steps: The number of steps.
        tau: Their time step.
        epsilon: Initial value of the remaining noise, on the [0, 1] scale. At 4/255 and
            tau = 0.2, noise of 28/255 gets ten steps.
        kappa: Initial sharpness between open and closed.

    Call arguments:
        noise_level: sigma on the [0, 1] scale, (batch, 1, 1, 1) or (batch, height, width, 1).

    Returns:
        The gates, between 0 and 1, float32 (batch, 1 or height, 1 or width, `steps`); each
        rises with sigma, and is at most the one before. If they differ from pixel to pixel, a
        step keeps the image's range, but its mean only approximately.

    Raises:
        ModelError: If a setting is not above 0.
    """

    def __init__(
        self,
        steps: int,
        tau: float = 0.2,
        epsilon: float = 4 / 255,
        kappa: float = 4.0,
        **options: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if min(steps, tau, epsilon, kappa) <= 0:
            raise ModelError(
                f"gates of steps={steps}, tau={tau}, epsilon={epsilon:g}, kappa={kappa}",
                "have a setting that is not above 0",
                "give positive numbers",
            )
        self.steps = steps
        self.tau = tau
        self.epsilon = epsilon
        self.kappa = kappa

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the trained numbers."""
        constant = keras.initializers.Constant
        self._log_epsilon = self.add_weight((), constant(math.log(self.epsilon)), name="epsilon")
        self._log_kappa = self.add_weight((), constant(math.log(self.kappa)), name="kappa")

    def count(self, noise_level: Tensor) -> Tensor:
        """T, the number of steps, not rounded, of the shape of `noise_level`."""
        scale = keras.ops.exp(-2 * self._log_epsilon) / (8 * math.pi * self.tau)
        wanted = keras.ops.square(noise_level) * scale
        return 1 + softplus(wanted - 1) - softplus(wanted - self.steps)

    def call(self, noise_level: Tensor) -> Tensor:
        """Returns the gates."""
        centers = keras.ops.arange(self.steps, dtype=noise_level.dtype) + 0.5
        margin = self.count(noise_level) - keras.ops.reshape(centers, (1, 1, 1, self.steps))
        return keras.ops.sigmoid(keras.ops.exp(self._log_kappa) * margin)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the gates."""
        return (*shape[:-1], self.steps)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "steps": self.steps,
            "tau": self.tau,
            "epsilon": self.epsilon,
            "kappa": self.kappa,
        }
