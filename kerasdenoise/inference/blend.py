"""How much of the denoising is applied."""

from __future__ import annotations

import numpy as np

from kerasdenoise.errors import UsageError
from kerasdenoise.zoo import ModelInfo

# Twice the level of the noise: further away from the truth, networks have learned nothing.
STRONGEST = 2.0


def check_strength(strength: float, info: ModelInfo) -> float:
    """Returns a strength that can be used.

    Args:
        strength: The strength.
        info: The model it is used with.

    Raises:
        UsageError: It is not a number in [0, 2], or above 1 and the model knows no level of
            the noise that could be raised.
    """
    if not 0.0 <= strength <= STRONGEST:  # also catches NaN
        raise UsageError(
            f"strength {strength:g}",
            f"not between 0 and {STRONGEST:g}",
            "use 0 for no change, 1 for all of it",
        )
    if strength > 1.0 and not info.follows_level:
        raise UsageError(
            f"strength {strength:g}",
            f"the model {info.name} cannot be told that there is more noise than it finds",
            "use 1 or less, or a model that goes by a noise level, and not quality fast",
        )
    return float(strength)


def blend(noisy: np.ndarray, denoised: np.ndarray, strength: float) -> np.ndarray:
    """Goes from the noisy pixels towards the denoised ones.

    Args:
        noisy: Float32 pixels of any shape.
        denoised: Float32 pixels of the same shape.
        strength: 0 gives `noisy` and 1 gives `denoised`, both exactly; what goes beyond 1 is
            for the model to do.

    Returns:
        Float32 pixels, not clipped.
    """
    if strength == 0.0:
        return noisy
    if strength >= 1.0:
        return denoised
    return noisy + np.float32(strength) * (denoised - noisy)
