"""The figures of images beside clean ones: of each image, their means, and those of a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kerasdenoise.metrics import psnr, ssim

LOW_FREQUENCY = 12.0
"""Standard deviation in pixels of the Gaussian window under which tone is compared."""

SEED = 20261125  # of the noise of test images, another than that of any training


def psnr_of(clean: np.ndarray, images: np.ndarray) -> np.ndarray:
    """PSNR of each image, in dB.

    Args:
        clean: Float32 (images, height, width, channels) in [0, 1].
        images: What is measured, of the same shape: noisy or denoised.

    Returns:
        (images,).
    """
    return np.array([psnr(a, b) for a, b in zip(clean, images, strict=True)])


def figures_of(clean: np.ndarray, images: np.ndarray) -> dict[str, np.ndarray]:
    """Measures each image: its PSNR in both conventions in dB, and its SSIM.

    Args:
        clean: Float32 (images, height, width, channels) in [0, 1].
        images: What is measured, of the same shape.

    Returns:
        `psnr`, of peak 1; `psnr_image_max`, of which the peak is the clean image's largest value,
        as in the LambdaNet paper; `ssim`. Each (images,).
    """
    pairs = list(zip(clean, images, strict=True))
    return {
        "psnr": psnr_of(clean, images),
        "psnr_image_max": np.array([psnr(a, b, peak=float(a.max()) or 1.0) for a, b in pairs]),
        "ssim": np.array([ssim(a, b) for a, b in pairs]),
    }


def mean_with_error(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Mean over images and its standard error.

    The mean of none is not a number, nor the error of less than two finite figures.
    """
    values = np.asarray(values, np.float64)
    if len(values) == 0:
        return math.nan, math.nan
    if len(values) < 2 or not np.isfinite(values).all():
        return float(np.mean(values)), math.nan
    return float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(len(values)))


def bootstrap(
    values: np.ndarray,
    statistic: Callable[[np.ndarray], float] = np.mean,
    *,
    times: int = 10_000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Gives a statistic and its 95 % interval, by drawing images anew with replacement.

    Args:
        values: Of each image, along the last axis; differences, if two are compared.
        statistic: Of such values.
        times: How often images are drawn.
        seed: Of the drawing.
    """
    count = values.shape[-1]
    rng = np.random.default_rng(seed)
    if statistic is np.mean and values.ndim == 1:
        draws = values[rng.integers(0, count, (times, count))].mean(axis=1)
    else:
        draws = [statistic(values[..., rng.integers(0, count, count)]) for _ in range(times)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(statistic(values)), float(low), float(high)


def summarize(figures: dict[str, np.ndarray]) -> dict[str, float]:
    """Takes the mean over images, and its standard error as `<figure>_error` if it has one."""
    result = {}
    for name, values in figures.items():
        result[name], error = mean_with_error(values)
        if not math.isnan(error):
            result[f"{name}_error"] = error
    return result


def rms(values: np.ndarray | float) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def low_frequency_error(image: np.ndarray, truth: np.ndarray) -> float:
    """How far the tone of an image is from the truth's.

    Args:
        image: Float (height, width, channels) in [0, 1].
        truth: Of the same shape.

    Returns:
        Root mean square of the difference under a Gaussian window of 12 pixels, in 1/255.
    """
    from scipy.ndimage import gaussian_filter

    return 255 * rms(gaussian_filter(image - truth, (LOW_FREQUENCY, LOW_FREQUENCY, 0)))


def level_ratio(estimate: np.ndarray | float, noisy: np.ndarray, truth: np.ndarray) -> float:
    """Estimated level of the noise over the true one, both as root mean squares.

    Args:
        estimate: Standard deviation of the noise at each pixel, or one for all, in [0, 1].
        noisy: The noisy image, float (height, width, channels).
        truth: The clean one.
    """
    return rms(estimate) / rms(noisy - truth)


def add_noise(clean: np.ndarray, noise: str, seed: int = SEED) -> np.ndarray:
    """Draws one noisy version of each image; always the same for the same arguments."""
    import keras

    from kerasdenoise.noise import parse_noise

    parts = [clean[start : start + 64] for start in range(0, len(clean), 64)]
    generator, noisy = keras.random.SeedGenerator(seed), parse_noise(noise)
    return np.concatenate([keras.ops.convert_to_numpy(noisy(part, generator)) for part in parts])


def denoise(network: Any, noisy: np.ndarray, clean: np.ndarray, *, batch: int = 32) -> np.ndarray:
    """Denoises images, told the true noise level where the network takes it, and clips them."""
    import keras

    from kerasdenoise.training.noise_level import give_inputs, measure_noise

    denoised = []
    for start in range(0, len(noisy), batch):
        part = slice(start, start + batch)
        level = measure_noise(noisy[part], clean[part])
        inputs = give_inputs(network, keras.ops.convert_to_tensor(noisy[part]), level)
        # Not by `predict`, which would first compile a function for the few batches there are.
        denoised.append(keras.ops.convert_to_numpy(network(inputs, training=False)))
    return np.clip(np.concatenate(denoised), 0, 1)


def measure_network(network: Any, clean: np.ndarray, noise: str) -> dict[str, Any]:
    """Measures a network on noisy test images.

    Returns:
        The means of `figures_of` and their standard errors, of the denoised images and, under
        `noisy`, of the noisy ones as they are, not clipped; the number of `images`.
    """
    noisy = add_noise(clean, noise)
    return {
        **summarize(figures_of(clean, denoise(network, noisy, clean))),
        "noisy": summarize(figures_of(clean, noisy)),
        "images": len(clean),
    }
