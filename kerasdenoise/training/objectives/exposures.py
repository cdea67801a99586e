"""Training on what many exposures of the same scene would average to."""

from __future__ import annotations

import keras

from kerasdenoise.inference.tone import WINDOW
from kerasdenoise.noise import Noise
from kerasdenoise.tensors import Tensor
from kerasdenoise.tensors.spectrum import filter_pair, gaussian_response
from kerasdenoise.training.objectives.example import Example


def exposures(clean: Tensor, noise: Noise, seed: keras.random.SeedGenerator) -> Example:
    """Compares with the mean of many noisy images, in the tone of the one that the network gets.

    A network cannot tell the tone of the mean from one noisy image, and guesses it by how its
    training pictures were clipped. On photos of other cameras that is a tint. So the target is
    the mean of many exposures (see `Noise.draw_pair`) plus the noise under a Gaussian window of
    `inference.tone.WINDOW` pixels, which the network has no reason to change.

    Args:
        clean: Float32 images (batch, height, width, channels) in [0, 1].
        noise: The corruption.
        seed: Where its random numbers come from.

    Returns:
        Input and target, shaped as `clean`.
    """
    noisy, expected = noise.draw_pair(clean, seed)
    width = keras.ops.full((clean.shape[0], 1, 1, 1), WINDOW)
    response = gaussian_response(width, clean.shape[1], clean.shape[2])
    change = noisy - expected
    return Example(noisy, expected + filter_pair(change, change, response)[0], expected)
