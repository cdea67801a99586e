"""Poisson noise for networks that know Gaussian noise only."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasdenoise.evaluation.figures import denoise


def stabilize(noisy: np.ndarray, gain: float) -> tuple[np.ndarray, float]:
    """Gives Poisson noise the same level everywhere: Anscombe's transform, scaled to [0, 1].

    Anscombe, "The transformation of Poisson, binomial and negative-binomial data", Biometrika
    1948.

    Args:
        noisy: Images with the noise `poisson:gain`.
        gain: Gray levels of 255 that a photon is worth.

    Returns:
        The transformed images, and the standard deviation of their noise.
    """
    low, high = _ends(gain)
    photons = np.maximum(noisy * (255 / gain), 0)
    return (_transform(photons) - low) / (high - low), float(1 / (high - low))


def undo(images: np.ndarray, gain: float) -> np.ndarray:
    """Turns the mean of transformed images back into a mean, nearly without bias.

    The closed form of Makitalo and Foi, "A closed-form approximation of the exact unbiased
    inverse of the Anscombe variance-stabilizing transformation", IEEE TIP 2011.
    """
    low, high = _ends(gain)
    # Below that of no photon there is none.
    d = np.maximum(images * (high - low) + low, _transform(np.zeros(())))
    root = np.sqrt(1.5)
    photons = d**2 / 4 + root / 4 / d - 11 / 8 / d**2 + 5 * root / 8 / d**3 - 1 / 8
    return np.clip(photons * (gain / 255), 0, 1).astype(np.float32)


def denoise_photons(network: Any, noisy: np.ndarray, clean: np.ndarray, gain: float) -> np.ndarray:
    """Denoises Poisson noise by a network that was trained on Gaussian noise."""
    stable, _ = stabilize(noisy, gain)
    target, _ = stabilize(clean, gain)
    return undo(denoise(network, stable.astype(np.float32), target), gain)


def _transform(photons: Any) -> Any:
    return 2 * np.sqrt(photons + 3 / 8)


def _ends(gain: float) -> tuple[float, float]:
    """What black and white become."""
    return float(_transform(0.0)), float(_transform(255 / gain))
