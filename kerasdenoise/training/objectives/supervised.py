"""Training on pairs of noisy images and what they are noisy versions of."""

from __future__ import annotations

import keras

from kerasdenoise.noise import Noise
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.objectives.example import Example


def supervised(clean: Tensor, noise: Noise, seed: keras.random.SeedGenerator) -> Example:
    """Gives the network a noisy image and compares with the mean of many such images.

    That is the clean image, unless clipping shifts it: see `Noise.draw_pair`.

    Args:
        clean: Float32 images (batch, height, width, channels) in [0, 1].
        noise: The corruption.
        seed: Where its random numbers come from.

    Returns:
        Input and target, shaped as `clean`.
    """
    noisy, mean = noise.draw_pair(clean, seed)
    return Example(noisy, mean, mean)
