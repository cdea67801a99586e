"""How much of the denoising is applied."""

from __future__ import annotations

import numpy as np

from kerasdenoise.errors import UsageError


def check_strength(strength: float) -> float:
    """Returns a strength that can be used.

    Raises:
        UsageError: It is not a number in [0, 1].
    """
    if not 0.0 <= strength <= 1.0:  # also catches NaN
        raise UsageError(
            f"strength {strength:g}", "not between 0 and 1", "use 0 for no change, 1 for all of it"
        )
    return float(strength)


def blend(noisy: np.ndarray, denoised: np.ndarray, strength: float) -> np.ndarray:
    """Goes from the noisy pixels towards the denoised ones.

    Args:
        noisy: Float32 pixels of any shape.
        denoised: Float32 pixels of the same shape.
        strength: 0 gives `noisy` and 1 gives `denoised`, both exactly.

    Returns:
        Float32 pixels, not clipped.

    Raises:
        UsageError: The strength is not in [0, 1].
    """
    check_strength(strength)
    if strength == 0.0:
        return noisy
    if strength == 1.0:
        return denoised
    return noisy + np.float32(strength) * (denoised - noisy)
