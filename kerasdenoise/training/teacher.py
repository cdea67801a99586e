"""What a better network makes of a picture, as something to learn from."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from kerasdenoise.losses import l2
from kerasdenoise.tensors import Tensor

_EPSILON = 1e-6


class Teacher:
    """A network whose results another one learns from.

    What no network can know of the clean picture is most of a denoiser's error, and differs from
    patch to patch: it makes the gradient unsteady, and teaches nothing. The teacher's result lacks
    it. As far as the teacher gives the clean picture's mean, given the noisy one, both have the
    same least squared error in the mean (Hinton et al., "Distilling the knowledge in a neural
    network", 2015, has the idea for classes).

    It sees each batch flipped and turned in one of eight ways, at random. So what is learned is
    the mean of its results for all eight, which is better than any of them: a network may even
    learn from itself (Timofte et al., "Seven ways to improve example-based single image super
    resolution", CVPR 2016, take that mean when the network is used).

    It is no Keras layer, and so no part of what is trained and kept.

    Args:
        network: Takes what the learning network takes.
    """

    def __init__(self, network: keras.Model) -> None:
        self._network = network

    def __call__(
        self, inputs: Tensor | Sequence[Tensor], seed: keras.random.SeedGenerator
    ) -> Tensor:
        """Returns the result, clipped, of which there is no gradient.

        Args:
            inputs: Square noisy patches (batch, side, side, channels), and what else the
                network takes.
            seed: Draws the turn.
        """
        where, swapaxes, flip = keras.ops.where, keras.ops.swapaxes, keras.ops.flip
        swap, rows, columns = keras.ops.unstack(
            keras.random.randint((3,), 0, 2, dtype="int32", seed=seed) > 0
        )

        def turn(values: Tensor) -> Tensor:
            values = where(swap, swapaxes(values, 1, 2), values)
            values = where(rows, flip(values, 1), values)
            return where(columns, flip(values, 2), values)

        def turn_back(values: Tensor) -> Tensor:
            values = where(columns, flip(values, 2), values)
            values = where(rows, flip(values, 1), values)
            return where(swap, swapaxes(values, 1, 2), values)

        denoised = self._network(keras.tree.map_structure(turn, inputs), training=False)
        return keras.ops.stop_gradient(keras.ops.clip(turn_back(denoised), 0, 1))


def compare_with_teacher(seen: dict[str, Tensor]) -> Tensor:
    """Returns the mean over patches of the squared difference from what a teacher gives.

    Each counts by the inverse of its squared error against the clean picture, which makes the
    gradient that of decibels: the same as of the loss `psnr`, less what the teacher cannot know.

    Args:
        seen: `target`, the clean picture; `taught`, the teacher's result; and `denoised`.
    """
    own = keras.ops.stop_gradient(l2(seen["target"], seen["denoised"]))
    return keras.ops.mean(l2(seen["taught"], seen["denoised"]) / (own + _EPSILON))
