"""Training of a small network on one noisy image alone, by the two halves of a checkerboard."""

from __future__ import annotations

import keras

from kerasdenoise.noise.own import Reach
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.tasks.self_supervised import SelfSupervised
from kerasdenoise.training.tasks.task import Split


class Checkerboard(SelfSupervised):
    """Pushes the black fields of a checkerboard together, and compares them with the white ones.

    Pixels stay as they are, and so their noise keeps its distribution, as of few photons (Lequyer
    et al., "Noise2Fast: fast self-supervised single image blind denoising", Nature Machine
    Intelligence 2022). Where the paper pushes rows and columns, here patches are turned, by the
    recipe's `augment`. The noise must be white.
    """

    objective = "checkerboard"

    @staticmethod
    def split(noisy: Tensor, seed: keras.random.SeedGenerator, reach: Reach = (0, 0)) -> Split:
        """Takes black as input and white as target, or the reverse."""
        del reach
        ops = keras.ops
        batch, height, width, channels = noisy.shape
        pairs = ops.reshape(noisy, (batch, height, width // 2, 2, channels))
        start = keras.random.randint((), 0, 2, dtype="int32", seed=seed)
        is_even = ops.equal((ops.arange(height, dtype="int32") + start) % 2, 0)
        is_even = ops.reshape(is_even, (1, height, 1, 1))
        left, right = pairs[:, :, :, 0], pairs[:, :, :, 1]
        black, white = ops.where(is_even, left, right), ops.where(is_even, right, left)
        return Split(black, white, ops.ones_like(black))
