"""Training on two images of the same scene, of which the second is clean or has other noise."""

from __future__ import annotations

import keras

from kerasdenoise.noise.own import Reach
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.tasks.self_supervised import SelfSupervised
from kerasdenoise.training.tasks.task import Split


class Pairs(SelfSupervised):
    """Gives the network one image and compares with the other.

    Both stand in the channels of one array, one behind the other. The second is clean, or its noise
    is independent of the first one's (Lehtinen et al., "Noise2Noise: learning image restoration
    without clean data", ICML 2018), white or not.
    """

    objective = "pairs"
    versions = 2

    @staticmethod
    def split(noisy: Tensor, seed: keras.random.SeedGenerator, reach: Reach = (0, 0)) -> Split:
        """Takes both apart; nothing is drawn."""
        del seed, reach
        first, second = keras.ops.split(noisy, 2, axis=-1)
        return Split(first, second, keras.ops.ones_like(first))
