"""Training on pairs of noisy images and what they are noisy versions of."""

from __future__ import annotations

from kerasdenoise.tensors import Tensor
from kerasdenoise.training.tasks.task import Example, Task


class Supervised(Task):
    """Gives the network a noisy image and compares with the mean of many such images.

    That is the clean image, unless clipping shifts it: see `Noise.draw_pair`.
    """

    objective = "supervised"

    def draw(self, clean: Tensor) -> Example:
        """Draws noise, whose mean is the target."""
        noisy, mean = self._noise.draw_pair(clean, self.seed_generator)
        return Example(noisy, mean, mean)
