"""What a denoiser is worth on all noises of the leaderboard, and where in the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from common.trials import Context, Trial

from kerasdenoise.evaluation.figures import (
    add_noise,
    bootstrap,
    denoise,
    figures_of,
    psnr_of,
    summarize,
)

_RESAMPLES = 4000


def measure_all(
    denoiser: Any, trial: Trial, context: Context, noises: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """Measures a network on the noise it was trained for, and its PSNR on all others.

    Returns:
        What `measure_images` does, of its own noise, and `across`: for each noise the PSNR of
        each image.
    """
    clean = trial.load_test(context)
    noisy = add_noise(clean, trial.noise)
    across = {}
    for name, (_, kind) in noises.items():
        other = add_noise(clean, kind)
        across[name] = round_all(psnr_of(clean, denoise(denoiser, other, clean)))
    return {
        **measure_images(clean, denoise(denoiser, noisy, clean)),
        "noisy": summarize(figures_of(clean, noisy)),
        "across": across,
    }


def measure_images(clean: np.ndarray, denoised: np.ndarray) -> dict[str, Any]:
    """Measures images, and by how much borders and busy images are harder.

    Args:
        clean: Float32 (images, height, width, channels) in [0, 1].
        denoised: Of the same shape.

    Returns:
        Means and standard errors of PSNR and SSIM; `psnr_images`, the PSNR of each; `border` and
        `smooth`, the PSNR of the mean squared error over all such pixels; `terciles`, the mean
        PSNR of the images with the least, the middle and the most edginess.
    """
    from kerasdenoise.inference.noise_estimate import edginess

    figures = figures_of(clean, denoised)
    borders, errors = mark_borders(clean), np.square(denoised - clean)
    order = np.argsort([edginess(image) for image in clean])
    return {
        **summarize(figures),
        "images": len(clean),
        "psnr_images": round_all(figures["psnr"]),
        "border": _to_decibel(errors[borders]),
        "smooth": _to_decibel(errors[~borders]),
        "border_share": float(borders.mean()),
        "terciles": [float(figures["psnr"][part].mean()) for part in np.array_split(order, 3)],
    }


def mark_borders(clean: np.ndarray) -> np.ndarray:
    """Marks the pixels that a border classifier learns to find; all channels alike."""
    import keras

    from kerasdenoise.training.tasks.border import find_borders

    return keras.ops.convert_to_numpy(find_borders(clean)) > 0.5


def round_all(values: np.ndarray) -> list[float]:
    """Rounds what is kept of each image."""
    return np.round(values, 3).tolist()


def compare(ours: list[float], theirs: list[float], seed: int = 0) -> tuple[float, float, float]:
    """Compares PSNR image by image: the same images, in the same order.

    Where one was measured on more images, those that both have count.

    Returns:
        The mean difference, and the ends of its 95 % interval by bootstrap over images.
    """
    count = min(len(ours), len(theirs))
    differences = np.subtract(ours[:count], theirs[:count])
    return bootstrap(differences, times=_RESAMPLES, seed=seed)


def _to_decibel(errors: np.ndarray) -> float:
    return float(-10 * np.log10(max(float(errors.mean()), 1e-10)))
