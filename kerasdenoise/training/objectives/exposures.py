"""Training on what many exposures of the same scene would average to."""

from __future__ import annotations

import keras

from kerasdenoise.noise import Noise
from kerasdenoise.noise.base import Tensor
from kerasdenoise.noise.spectrum import filter_pair, gaussian_response

# Deviation, in pixels, of the window below which a change of tone is the camera's, not noise.
WIDTH = 12.0


def exposures(
    clean: Tensor, noise: Noise, seed: keras.random.SeedGenerator
) -> tuple[Tensor, Tensor]:
    """Gives the network a noisy image and compares with the mean of many such images.

    A camera clips noise at black and white, so that the mean of its pictures is not the clean
    one. A network that is compared with the clean one learns to undo that, and with it tints
    the pictures of other cameras. What differs over many pixels is therefore left as it is in
    the noisy image: the target is the clean image plus the low-pass of the noise.

    Args:
        clean: Float32 images (batch, height, width, channels) in [0, 1].
        noise: The corruption.
        seed: Where its random numbers come from.

    Returns:
        The network's input and its target, shaped as `clean`.
    """
    noisy, expected = noise.draw_pair(clean, seed)
    width = keras.ops.full((clean.shape[0], 1, 1, 1), WIDTH)
    response = gaussian_response(width, clean.shape[1], clean.shape[2])
    change = noisy - expected
    return noisy, expected + filter_pair(change, change, response)[0]
