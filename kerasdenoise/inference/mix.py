"""How the noisy pixels and the denoised ones are mixed."""

from __future__ import annotations

import numpy as np

from kerasdenoise.inference.settings import DenoiseSettings

# Of red, green and blue, by ITU-R BT.601, as JPEG and Pillow have it.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def mix(noisy: np.ndarray, denoised: np.ndarray, settings: DenoiseSettings) -> np.ndarray:
    """Mixes an image and what a model made of it.

    Args:
        noisy: Float32 (H, W, 1 or 3).
        denoised: Float32 of the same shape, at the strength, if it is above 1.
        settings: How much of the difference to apply, and of grain to keep.

    Returns:
        Float32 of the same shape, not clipped.
    """
    return add_grain(noisy, blend(noisy, denoised, settings.strength), settings.keep_grain)


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
    return denoised + np.float32(amount) * _luma(noisy - denoised)


def _luma(pixels: np.ndarray) -> np.ndarray:
    """The luma of (H, W, 3), as (H, W, 1); gray pixels are their own."""
    return pixels if pixels.shape[2] == 1 else (pixels @ _LUMA)[..., np.newaxis]
