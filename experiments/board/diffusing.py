"""Classical diffusion with a chosen contrast: by itself, before and after a network."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from board.leaderboard_figures import measure_images
from kerasdenoise.evaluation.figures import denoise
from kerasdenoise.models import get_architecture, make_config
from kerasdenoise.training.tasks.contrast_search import CONTRASTS, find_contrast, try_contrasts


def make_diffusion() -> Any:
    """Makes Perona and Malik's diffusion, whose contrast is yet to be chosen."""
    config = make_config("perona_malik", {"preset": "classical"})
    return get_architecture("perona_malik").build(config)


def diffuse(diffusion: Any, contrast: float, images: np.ndarray) -> np.ndarray:
    """Diffuses images (batch, height, width, channels) with a contrast."""
    find_contrast(diffusion).assign([contrast])
    return keras.ops.convert_to_numpy(diffusion(images, training=False))


def choose_contrast(diffusion: Any, images: np.ndarray, clean: np.ndarray) -> float:
    """Chooses the contrast with the highest mean PSNR."""
    errors = try_contrasts(diffusion, images, clean)
    return float(CONTRASTS[np.argmin(_log_mean(errors))])


def diffuse_around(
    network: Any, noisy: np.ndarray, clean: np.ndarray, example: np.ndarray, known: np.ndarray
) -> dict[str, Any]:
    """Diffuses before and after a network that was trained without.

    Args:
        network: A denoiser.
        noisy: Test images with the noise that it was trained for, not clipped.
        clean: The same without noise.
        example: Validation images with such noise, by which the contrast is chosen.
        known: The same without noise.

    Returns:
        What `measure_images` does of the network `as it is`, `before` and `after`, the last two
        with the contrast that was `chosen`.
    """
    diffusion = make_diffusion()
    denoised = denoise(network, noisy, clean)
    after = choose_contrast(diffusion, denoise(network, example, known), known)
    errors = []
    for contrast in CONTRASTS:
        result = denoise(network, diffuse(diffusion, contrast, example), known)
        errors.append(np.square(result - known).mean(axis=(1, 2, 3)))
    before = float(CONTRASTS[np.argmin(_log_mean(np.array(errors)))])
    results = {
        "before": (before, denoise(network, diffuse(diffusion, before, noisy), clean)),
        "after": (after, np.clip(diffuse(diffusion, after, denoised), 0, 1)),
    }
    return {
        "as it is": measure_images(clean, denoised),
        **{
            name: measure_images(clean, images) | {"chosen": contrast}
            for name, (contrast, images) in results.items()
        },
    }


def _log_mean(errors: np.ndarray) -> np.ndarray:
    """The mean over images of what PSNR is minus ten times of, for each contrast."""
    return np.log(np.maximum(errors, 1e-10)).mean(axis=1)
