"""Steps of anisotropic diffusion: one, how many an image gets, and what holds at borders."""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor
from kerasdenoise.tensors.calculus import (
    softplus,
    square_gradient,
    take_differences,
    take_divergence,
)

# Up to this step, each new pixel is a weighted mean of the pixel and its four neighbors.
LARGEST_STEP = 0.25


@keras.saving.register_keras_serializable("kerasdenoise")
class DiffusionStep(keras.layers.Layer):
    """Diffuses an image for one time step, less where it has edges.

    `u + gate * (tau * div(g * grad u) - tau * alpha * (u - noisy))`, whose last term exists only
    with `reaction` (Nordstroem, "Biased anisotropic diffusion", 1990). The gradient
    is that of forward differences with replicated borders; g is taken at the pixel that a
    difference starts from. With s the size of the gradient, g is one of Perona and Malik's
    functions ("Scale-space and edge detection using anisotropic diffusion", IEEE TPAMI 1990),
    whose lambda, the difference above which edges are kept, is called `contrast` here:

    - `exponential`: g = exp(-s^2 / contrast^2);
    - `rational`: g = 1 / (1 + s^2 / contrast^2).

    With 0 <= g <= 1 and tau <= 1/4, or tau <= 1/(4 + alpha) with a reaction, each new pixel is a
    weighted mean of its old neighborhood and of `noisy`: values stay in their
    range, and without a reaction, and with the same gate everywhere, the image keeps its mean.
    Other steps are rejected. With g >= -gamma, values grow by a factor of 1 + 8 * tau * gamma at
    most. Gradients can grow by 1 + 3.57 * tau a step with the exponential function and by
    1 + tau with the rational one, which is therefore easier to train over many steps.

    Args:
        function: g's name, or None to be given g as `coefficient`.
        tau: The time step, above 0 and up to 1/4; the initial value of a trained one.
        argument: What s is: `directional`, the difference in each direction and channel by
            itself (Perona and Malik's), or `norm`, the gradient's norm over both directions and
            all channels, which gives one g to all channels and so no color fringes.
        learn_tau: Whether tau is trained, as sigmoid(w)/4.
        reaction: The initial value of the trained alpha, or None for no reaction. The layer keeps
            tau * alpha below 1 - 4 * tau.

    Call arguments:
        u: The image, (batch, height, width, channels).
        contrast: Above 0, (batch, 1, 1, 1) or, for a contrast per pixel, (batch, height, width,
            1); only with a `function`.
        coefficient: g, (batch, height, width, 1) or one for each channel; without `function`.
        noisy: The image that the reaction pulls towards, of the shape of `u`.
        gate: How much of the step is taken, in [0, 1], of the shapes that `contrast` may have.

    Returns:
        The diffused image, of the shape of `u`, float32: diffusion works on differences that
        bfloat16 does not resolve.

    Raises:
        ModelError: If the step is not stable or a name is unknown.
        TypeError: If a call argument is missing.
    """

    def __init__(
        self,
        function: Literal["exponential", "rational"] | None = "exponential",
        tau: float = 0.2,
        argument: Literal["directional", "norm"] = "directional",
        learn_tau: bool = False,
        reaction: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **options})
        _check(function, tau, argument, learn_tau, reaction)
        self.function = function
        self.tau = tau
        self.argument = argument
        self.learn_tau = learn_tau
        self.reaction = reaction

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the trained numbers."""
        if self.learn_tau:
            logit = _logit(self.tau / LARGEST_STEP)
            self._tau = self.add_weight((), keras.initializers.Constant(logit), name="tau")
        if self.reaction is not None:
            logit = _logit(self.reaction / (1 / self.tau - 4))
            self._alpha = self.add_weight((), keras.initializers.Constant(logit), name="alpha")
        self._channels = cast(int, shape[-1])
        self.built = True

    @property
    def time_step(self) -> Tensor:
        """The current time step: `tau`, or its trained value."""
        if not self.learn_tau or not self.built:
            return self.tau
        return LARGEST_STEP * keras.ops.sigmoid(self._tau)

    @property
    def alpha(self) -> Tensor:
        """The strength of the reaction, 0 if there is none."""
        if self.reaction is None:
            return 0.0
        if not self.built:
            return self.reaction
        return keras.ops.sigmoid(self._alpha) * (1 / self.time_step - 4)

    def call(
        self,
        u: Tensor,
        contrast: Tensor | None = None,
        coefficient: Tensor | None = None,
        noisy: Tensor | None = None,
        gate: Tensor | None = None,
    ) -> Tensor:
        """Takes the step."""
        self._require(contrast if self.function else coefficient, noisy)
        right, below = take_differences(u)
        if self.function is None:
            along = down = coefficient
        elif self.argument == "norm":
            along = down = self._diffusivity(square_gradient(right, below), contrast)
        else:
            along = self._diffusivity(keras.ops.square(right), contrast)
            down = self._diffusivity(keras.ops.square(below), contrast)
        change = self.time_step * take_divergence(along * right, down * below)
        if self.reaction is not None:
            change = change - self.time_step * self.alpha * (u - noisy)
        return u + (change if gate is None else gate * change)

    def mac_per_position(self) -> int:
        """Counts the multiplications for each pixel, without exponentials and divisions."""
        products = 3 * self._channels  # with the coefficient, twice, and with tau
        if self.function is not None:
            directional = self.argument == "directional"
            products += 2 * self._channels + (2 * self._channels if directional else 1)
        return products

    def compute_output_shape(self, u_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `u`."""
        return u_shape

    def compute_output_spec(
        self,
        u: Tensor,
        contrast: Tensor | None = None,
        coefficient: Tensor | None = None,
        noisy: Tensor | None = None,
        gate: Tensor | None = None,
    ) -> keras.KerasTensor:
        """Returns the result of `call` as a symbol, with the same checks."""
        self._require(contrast if self.function else coefficient, noisy)
        return keras.KerasTensor(u.shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "function": self.function,
            "tau": self.tau,
            "argument": self.argument,
            "learn_tau": self.learn_tau,
            "reaction": self.reaction,
        }

    def _diffusivity(self, square: Tensor, contrast: Tensor) -> Tensor:
        # The square is used because a root has no derivative in flat areas.
        if self.function == "exponential":
            return keras.ops.exp(square * (-1 / keras.ops.square(contrast)))
        return 1 / (1 + square * (1 / keras.ops.square(contrast)))

    def _require(self, measure: Tensor | None, noisy: Tensor | None) -> None:
        # With another signature, Keras would replace this error by its own.
        if measure is None:
            name = "contrast" if self.function else "coefficient"
            raise TypeError(f"{self.name}: called without {name}; give {name}=...")
        if self.reaction is not None and noisy is None:
            raise TypeError(f"{self.name}: a reaction needs the noisy image; give noisy=...")


def _check(
    function: str | None, tau: float, argument: str, learn_tau: bool, reaction: float | None
) -> None:
    if function not in ("exponential", "rational", None):
        raise ModelError(
            f"diffusion function {function!r}", "is unknown", "known: exponential, rational"
        )
    if argument not in ("directional", "norm"):
        raise ModelError(
            f"diffusion argument {argument!r}", "is unknown", "known: directional, norm"
        )
    if not 0 < tau <= LARGEST_STEP:
        raise ModelError(
            f"diffusion step tau={tau}", "is not stable", "give one above 0 and up to 0.25"
        )
    if learn_tau and tau == LARGEST_STEP:
        raise ModelError(
            f"diffusion step tau={tau}",
            "is the limit of a trained step, which never reaches it",
            "start below 0.25, such as 0.2",
        )
    if reaction is not None and not 0 < reaction < 1 / tau - 4:
        raise ModelError(
            f"diffusion step tau={tau} with reaction {reaction}",
            "is not stable: tau must be below 1/(4 + reaction), and the reaction above 0",
            "give a smaller tau or reaction, such as 0.2 and 0.1",
        )


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


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

    _softplus = staticmethod(softplus)

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
        return 1 + self._softplus(wanted - 1) - self._softplus(wanted - self.steps)

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


@keras.saving.register_keras_serializable("kerasdenoise")
class BorderMix(keras.layers.Layer):
    """Mixes two values by the probability b that a pixel is on a border.

    `b * at_border + (1 - b) * elsewhere`, with b unchanged in training, and rounded to 0 or 1
    afterwards. No gradient flows back through b. The slides on learned anisotropic
    diffusion use one contrast or the other, which could not be trained.

    Args:
        hard: Whether b is rounded outside training: 1 above a half, else 0.

    Call arguments:
        border: b in [0, 1], (batch, height, width, 1).
        at_border: The value at borders, of a shape that broadcasts with that of `border`.
        elsewhere: The value elsewhere.
        training: Whether the layer is being trained.

    Returns:
        Values float32 (batch, height, width, 1), between the two given.
    """

    def __init__(self, hard: bool = True, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        self.hard = hard

    def call(
        self, border: Tensor, at_border: Tensor, elsewhere: Tensor, training: bool | None = None
    ) -> Tensor:
        """Returns the values."""
        border = keras.ops.stop_gradient(border)
        if self.hard and not training:
            border = keras.ops.cast(border > 0.5, border.dtype)
        return border * at_border + (1 - border) * elsewhere

    def compute_output_shape(self, border_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `border`."""
        return border_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "hard": self.hard}
