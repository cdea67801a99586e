"""How different a denoised image looks, and how natural many of them are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from kerasdenoise.errors import UsageError

# (clean, denoised) -> how different they look; smaller is better.
Measure = Callable[[np.ndarray, np.ndarray], float]

# Of red, green and blue, by ITU-R BT.601.
_LUMA = np.array([0.299, 0.587, 0.114])
# Keeps the similarity of gradients steady where there are none: 170 on the scale to 255.
_STEADY = 170 / 255**2
# Sides of an image that is halved and has gradients.
_SMALLEST = 6


def gmsd(clean: np.ndarray, denoised: np.ndarray) -> float:
    """Gradient magnitude similarity deviation.

    Xue et al., "Gradient magnitude similarity deviation: a highly efficient perceptual image
    quality index", IEEE TIP 2014: of luma, averaged over 2x2 pixels, Prewitt's gradients are
    compared at each pixel, and the standard deviation of their similarity is taken. Here only at
    pixels around which the filter fits.

    Args:
        clean: The reference, float (height, width[, 1 or 3]) in [0, 1], sides of at least 6.
        denoised: What is measured, of the same shape.

    Returns:
        0 for equal images, and more the more they differ.

    Raises:
        ValueError: If the shapes differ or a side is too short.
    """
    if clean.shape != denoised.shape:
        raise ValueError(f"images differ in shape: {clean.shape} and {denoised.shape}")
    if min(clean.shape[:2]) < _SMALLEST:
        raise ValueError(f"GMSD needs sides of at least {_SMALLEST} pixels, not {clean.shape[:2]}")
    first, second = (_find_gradients(_halve(_find_luma(each))) for each in (clean, denoised))
    similarity = (2 * first * second + _STEADY) / (first**2 + second**2 + _STEADY)
    return float(np.std(similarity))


def flip(clean: np.ndarray, denoised: np.ndarray) -> float:
    """FLIP: the mean difference that a viewer notices who flips between two images.

    Andersson et al., "FLIP: a difference evaluator for alternating images", HPG 2020, by its
    authors' package, seen at 67 pixels per degree.

    Args:
        clean: The reference, float (height, width[, 1 or 3]) in [0, 1].
        denoised: What is measured, of the same shape.

    Returns:
        From 0 for equal images to 1.

    Raises:
        UsageError: If the package is not installed.
        ValueError: If the shapes differ.
    """
    if clean.shape != denoised.shape:
        raise ValueError(f"images differ in shape: {clean.shape} and {denoised.shape}")
    try:
        package = importlib.import_module("flip_evaluator")
    except ImportError as error:
        raise UsageError(
            "metric 'flip'",
            "needs the library flip-evaluator, which is not installed",
            'run pip install "kerasdenoise[metrics]"',
        ) from error
    pair = [_to_color(each) for each in (clean, denoised)]
    return float(package.evaluate(*pair, "LDR", applyMagma=False)[1])


METRICS: Mapping[str, Measure] = MappingProxyType({"gmsd": gmsd, "flip": flip})
"""What `evaluate --metrics` measures, by name."""


def get_metrics(names: Sequence[str]) -> dict[str, Measure]:
    """Returns metrics by name.

    Raises:
        UsageError: One is unknown, or its library is not installed.
    """
    for name in names:
        if name not in METRICS:
            raise UsageError(f"metric {name!r}", "is unknown", f"known: {', '.join(METRICS)}")
    tiny = np.zeros((_SMALLEST, _SMALLEST, 3), np.float32)
    for name in names:
        METRICS[name](tiny, tiny)  # tells what is missing before any work
    return {name: METRICS[name] for name in dict.fromkeys(names)}


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Kernel distance of two sets of features: how differently they are distributed.

    The squared maximum mean discrepancy with the kernel `(x . y / d + 1)^3`, estimated without
    bias, as in the kernel inception distance of Binkowski et al., "Demystifying MMD GANs", ICLR
    2018. Theirs are features of a network for ImageNet; a figure is comparable only with figures
    from the same network and the same number of pixels.

    Args:
        first: Features (samples, d), of 2 samples or more.
        second: Features of others, of as many or another number of samples.

    Returns:
        The estimate; it is negative half of the time where both are distributed equally.

    Raises:
        ValueError: If the features differ in length, or there are less than 2 samples.
    """
    if first.shape[1:] != second.shape[1:] or min(len(first), len(second)) < 2:
        raise ValueError(f"features of shapes {first.shape} and {second.shape} cannot be compared")
    first, second = first.astype(np.float64), second.astype(np.float64)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def mean_of_others(a: np.ndarray) -> float:
        similar = kernel(a, a)  # of a sample and itself, which would add a bias
        return float((similar.sum() - np.trace(similar)) / (len(a) * (len(a) - 1)))

    return mean_of_others(first) + mean_of_others(second) - 2 * float(kernel(first, second).mean())


def _find_luma(image: np.ndarray) -> np.ndarray:
    image = image.astype(np.float64)
    if image.ndim == 3:
        return image @ _LUMA if image.shape[2] == 3 else image[..., 0]
    return image


def _to_color(image: np.ndarray) -> np.ndarray:
    image = image[..., np.newaxis] if image.ndim == 2 else image
    return np.array(np.broadcast_to(image, (*image.shape[:2], 3)), np.float32, order="C")


def _halve(luma: np.ndarray) -> np.ndarray:
    rows, columns = (side // 2 for side in luma.shape)
    return luma[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))


def _find_gradients(luma: np.ndarray) -> np.ndarray:
    """The magnitude of Prewitt's gradients, where their 3x3 windows fit."""
    across, down = (luma[:, 2:] - luma[:, :-2]) / 3, (luma[2:] - luma[:-2]) / 3
    across = across[:-2] + across[1:-1] + across[2:]
    down = down[:, :-2] + down[:, 1:-1] + down[:, 2:]
    return np.hypot(across, down)
