"""Grain: the part of the noise that one may like, given back."""

from __future__ import annotations

import numpy as np

from kerasdenoise.errors import UsageError

# Of red, green and blue, by ITU-R BT.601, as JPEG and Pillow have it.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def check_grain(amount: float) -> float:
    """Returns an amount of grain that can be kept.

    Raises:
        UsageError: It is not a number in [0, 1].
    """
    if not 0.0 <= amount <= 1.0:  # also catches NaN
        raise UsageError(
            f"grain {amount:g}", "not between 0 and 1", "use 0 for none, 1 for all of it"
        )
    return float(amount)


def add_grain(noisy: np.ndarray, denoised: np.ndarray, amount: float) -> np.ndarray:
    """Gives back a share of the noise in luma, the same to all channels, and none in color.

    Args:
        noisy: Float32 (H, W, 1 or 3).
        denoised: Float32 of the same shape.
        amount: 0 gives `denoised`, exactly; 1 gives back all noise in luma, which for a gray
            image is all noise.

    Returns:
        Float32 of the same shape, not clipped.
    """
    if amount == 0.0:
        return denoised
    noise = noisy - denoised
    if noise.shape[2] == 3:
        noise = (noise @ _LUMA)[..., np.newaxis]
    return denoised + np.float32(amount) * noise
