"""A Keras network on arrays of test images: their noise, what it makes of them, the figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasdenoise.evaluation.figures import figures_of, summarize

SEED = 20261125  # of the noise of test images, another than that of any training


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
