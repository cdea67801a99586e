"""What a network makes of test images, as figures of each image and as their means."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasdenoise.metrics import psnr, ssim

SEED = 20261125  # of the noise of test images, another than that of any training


def add_noise(clean: np.ndarray, noise: str, seed: int = SEED) -> np.ndarray:
    """Draws one noisy version of each image; always the same for the same arguments."""
    import keras

    from kerasdenoise.noise import parse_noise

    parts = [clean[start : start + 64] for start in range(0, len(clean), 64)]
    generator, noisy = keras.random.SeedGenerator(seed), parse_noise(noise)
    return np.concatenate([keras.ops.convert_to_numpy(noisy(part, generator)) for part in parts])


def denoise(denoiser: Any, noisy: np.ndarray, clean: np.ndarray, *, batch: int = 32) -> np.ndarray:
    """Denoises images, told the true noise level where the network takes it, and clips them."""
    import keras

    from kerasdenoise.training.task import give_inputs, measure_noise

    denoised = []
    for start in range(0, len(noisy), batch):
        part = slice(start, start + batch)
        level = measure_noise(noisy[part], clean[part])
        inputs = give_inputs(denoiser, keras.ops.convert_to_tensor(noisy[part]), level)
        # Not by `predict`, which would first compile a function for the few batches there are.
        denoised.append(keras.ops.convert_to_numpy(denoiser(inputs, training=False)))
    return np.clip(np.concatenate(denoised), 0, 1)


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
        "psnr": np.array([psnr(a, b) for a, b in pairs]),
        "psnr_image_max": np.array([psnr(a, b, peak=float(a.max()) or 1.0) for a, b in pairs]),
        "ssim": np.array([ssim(a, b) for a, b in pairs]),
    }


def summarize(figures: dict[str, np.ndarray]) -> dict[str, float]:
    """Takes the mean over images, and its standard error as `<figure>_error`."""
    result = {}
    for name, values in figures.items():
        result[name] = float(np.mean(values))
        if len(values) > 1:
            result[f"{name}_error"] = float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return result


def measure_denoiser(denoiser: Any, clean: np.ndarray, noise: str) -> dict[str, Any]:
    """Measures a network on noisy test images.

    Returns:
        The means of `figures_of` and their standard errors, of the denoised images and, under
        `noisy`, of the noisy ones as they are, not clipped; the number of `images`.
    """
    noisy = add_noise(clean, noise)
    return {
        **summarize(figures_of(clean, denoise(denoiser, noisy, clean))),
        "noisy": summarize(figures_of(clean, noisy)),
        "images": len(clean),
    }
