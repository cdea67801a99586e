"""Training without clean images, on two noisy ones."""

from __future__ import annotations

import keras

from kerasdenoise.noise import Noise
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.objectives.example import Example


def noise2noise(clean: Tensor, noise: Noise, seed: keras.random.SeedGenerator) -> Example:
    """Gives the network a noisy image and compares with another noisy version of it.

    The network cannot know the target's noise, so under a loss that seeks the mean it learns
    the mean of all versions (Lehtinen et al., "Noise2Noise: learning image restoration without
    clean data", ICML 2018). That is the clean image if the noise is `zero_mean`.

    Args:
        clean: Float32 images (batch, height, width, channels) in [0, 1].
        noise: The corruption; its parameters too are drawn anew for the target.
        seed: Where its random numbers come from.

    Returns:
        Input and target, shaped as `clean`.
    """
    return Example(noise(clean, seed), noise(clean, seed), clean)
