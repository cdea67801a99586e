"""Image quality against a clean reference.

`psnr` and `ssim` measure NumPy arrays and import nothing else. `PSNR` and `SSIM` are the same as
Keras metrics, for `compile` and `fit`; Keras is imported when one of them is used.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from kerasdenoise.metrics.tensors import PSNR, SSIM

__all__ = ["PSNR", "SSIM", "WINDOW", "psnr", "ssim", "warn_if_worse"]

# Side of the window of SSIM, the smallest side that it can measure.
WINDOW = 11
_SIGMA = 1.5


def __getattr__(name: str) -> Any:
    # Imported on use: what denoises must not import Keras.
    if name not in ("PSNR", "SSIM"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.tensors"), name)


def psnr(clean: np.ndarray, denoised: np.ndarray, *, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio over all pixels and channels.

    Args:
        clean: The reference, float (height, width[, channels]).
        denoised: The image to measure, of the same shape. Clip it first if a file would be.
        peak: The largest possible value.

    Returns:
        Decibels; infinity for equal images.

    Raises:
        ValueError: If the shapes differ.
    """
    _check(clean, denoised)
    error = float(np.mean(np.square(clean.astype(np.float64) - denoised)))
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def warn_if_worse(what: str, noisy: float, denoised: float) -> list[str]:
    """Warns if a network makes images worse.

    Args:
        what: What was measured.
        noisy: PSNR of the noisy images in dB.
        denoised: PSNR of the same, denoised.

    Returns:
        A line of text, or none if the images are better.
    """
    if not denoised < noisy:
        return []
    figures = f"{denoised:.2f} dB, noisy {noisy:.2f} dB"
    return [f"warning: {what}: denoised images are worse than noisy ones ({figures})"]


def ssim(clean: np.ndarray, denoised: np.ndarray, *, peak: float = 1.0) -> float:
    """Mean structural similarity, over channels as well.

    Wang et al., "Image quality assessment: from error visibility to structural similarity",
    IEEE TIP 2004: 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, over the places
    where the window fits.

    Args:
        clean: The reference, float (height, width[, channels]), sides of at least 11.
        denoised: The image to measure, of the same shape.
        peak: The largest possible value.

    Returns:
        A number up to 1.

    Raises:
        ValueError: If the shapes differ or a side is shorter than the window.
    """
    _check(clean, denoised)
    if min(clean.shape[:2]) < WINDOW:
        raise ValueError(f"SSIM needs sides of at least {WINDOW} pixels, not {clean.shape[:2]}")
    x, y = clean.astype(np.float64), denoised.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    )
    return float(np.mean(similarity))


def gaussian_window() -> np.ndarray:
    """The weights of SSIM's window along one side, (11,), with a sum of 1."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-0.5 * (offsets / _SIGMA) ** 2)
    return weights / weights.sum()


def _check(clean: np.ndarray, denoised: np.ndarray) -> None:
    if clean.shape != denoised.shape:
        raise ValueError(f"images differ in shape: {clean.shape} and {denoised.shape}")


def _blur(image: np.ndarray) -> np.ndarray:
    """Averages with the Gaussian window, along rows and then columns, where it fits."""
    weights = gaussian_window()
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(image, WINDOW, axis=axis)
        image = windows @ weights
    return image
