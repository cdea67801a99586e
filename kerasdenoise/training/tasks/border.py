"""Training to say where the borders of the clean image are."""

from __future__ import annotations

import keras

from kerasdenoise.tensors import Tensor
from kerasdenoise.tensors.calculus import take_differences
from kerasdenoise.training.tasks.task import Example, Task

# The least difference between neighbors that is a border, on the [0, 1] scale.
THRESHOLD = 0.1


class Border(Task):
    """Gives the network a noisy image and compares with the border map of the clean one."""

    objective = "border"
    finds_images = False
    has_clean_target = False

    def draw(self, clean: Tensor) -> Example:
        """Draws noise; the target is the border map."""
        return Example(self._noise(clean, self.seed_generator), find_borders(clean), clean)

    @staticmethod
    def find_truth(mean: Tensor) -> Tensor:
        """Returns the border map."""
        return find_borders(mean)


def find_borders(clean: Tensor) -> Tensor:
    """Marks the pixels that differ by more than 0.1 from the next one, right of or below them.

    The slides on learned anisotropic diffusion have such maps and give no threshold; 0.1 is
    chosen here. A pixel is a border if it is one in any of its channels.

    Args:
        clean: Float32 images (batch, height, width, channels) in [0, 1].

    Returns:
        Float32 maps of 0 and 1, shaped as `clean`; all channels are equal.
    """
    ops = keras.ops
    right, below = take_differences(clean)
    steepest = ops.maximum(ops.abs(right), ops.abs(below))
    marked = ops.max(steepest, axis=-1, keepdims=True) > THRESHOLD
    return ops.cast(marked, clean.dtype) * ops.ones_like(clean)
