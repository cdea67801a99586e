"""How far images are from those that they should be, and in which direction."""

from __future__ import annotations

import numpy as np

from kerasdenoise.errors import UsageError


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
            f"has another shape than the images {denoised.shape}",
            "give a target for each value",
        )
    error = denoised - target
    return float(np.mean(np.square(error))), 2 * error / error.size
