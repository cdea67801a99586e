"""What needs no training: the noisy image, two filters, and Perona and Malik's diffusion."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from common.data import find_cifar10
from common.trials import Context
from scipy.ndimage import gaussian_filter, median_filter

from board.leaderboard_figures import measure_images
from kerasdenoise.evaluation.figures import add_noise, denoise, psnr_of

TITLES = {
    "identity": "noisy image",
    "gaussian": "Gaussian filter",
    "median": "median filter",
    "classical": "Perona-Malik, one contrast",
    "oracle": "Perona-Malik, oracle contrast",
}
REFERENCE = "classical"
WIDTHS = (0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.3)
SIDES = (1, 3, 5)
EXAMPLE_SEED = 20261126  # of the noise that parameters are chosen on


def measure_anchors(
    context: Context, noises: Mapping[str, tuple[str, str]], images: int
) -> dict[str, Any]:
    """Measures each anchor on each noise.

    A filter's width, the median's side and the one contrast are those with the highest mean PSNR
    on validation images. All are given what networks are, noise that is not clipped, and all
    results are clipped. The oracle's contrast is the best for each test image, chosen by its
    clean image: an upper bound for what chooses one contrast for an image.

    Returns:
        By noise and anchor what `measure_images` does, and the parameter that was `chosen`.
    """
    data = find_cifar10(context.root)
    clean = data.load_test(None if context.is_full else images)
    known = load_validation(context, images)
    figures = {}
    for name, (_, kind) in noises.items():
        noisy = add_noise(clean, kind)
        example = add_noise(known, kind, EXAMPLE_SEED)
        width = _choose(WIDTHS, filter_gaussian, example, known)
        side = _choose(SIDES, filter_median, example, known)
        diffused, contrast, best = _diffuse(noisy, clean, example, known)
        results = {
            "identity": noisy,
            "gaussian": filter_gaussian(noisy, width),
            "median": filter_median(noisy, side),
            "classical": diffused,
            "oracle": best,
        }
        chosen = {"gaussian": width, "median": side, "classical": contrast}
        figures[name] = {
            anchor: measure_images(clean, np.clip(result, 0, 1))
            | ({"chosen": chosen[anchor]} if anchor in chosen else {})
            for anchor, result in results.items()
        }
    return figures


def filter_gaussian(images: np.ndarray, width: float) -> np.ndarray:
    """Blurs images (batch, height, width, channels) by a Gaussian of that standard deviation."""
    reach = math.ceil(3 * width)
    return gaussian_filter(images, width, mode="mirror", radius=reach, axes=(1, 2))


def filter_median(images: np.ndarray, side: int) -> np.ndarray:
    """Takes the median of a square around each pixel, of each channel by itself."""
    return median_filter(images, (1, side, side, 1), mode="mirror")


def load_validation(context: Context, images: int) -> np.ndarray:
    """Loads the images that parameters are chosen on."""
    from kerasdenoise.data.sources import load_images

    data = find_cifar10(context.root)
    found = load_images([data.validation], data.root, channels=data.channels, smallest=data.crop)
    return np.stack(found[:images]) / np.float32(255)


def _choose(
    values: tuple[Any, ...],
    apply: Callable[[np.ndarray, Any], np.ndarray],
    noisy: np.ndarray,
    clean: np.ndarray,
) -> Any:
    results = (np.clip(apply(noisy, each), 0, 1) for each in values)
    return values[int(np.argmax([psnr_of(clean, result).mean() for result in results]))]


def _diffuse(
    noisy: np.ndarray, clean: np.ndarray, example: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """Diffuses with the contrast that is best on average, and with the best for each image."""
    from board.diffusing import choose_contrast, diffuse, make_diffusion
    from kerasdenoise.training.tasks.contrast_search import CONTRASTS, try_contrasts

    diffusion = make_diffusion()
    chosen = choose_contrast(diffusion, example, known)
    choice = try_contrasts(diffusion, noisy, clean).argmin(axis=0)
    best = np.empty_like(noisy)
    for index in np.unique(choice):
        best[choice == index] = diffuse(diffusion, float(CONTRASTS[index]), noisy[choice == index])
    return diffuse(diffusion, chosen, noisy), chosen, best


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
