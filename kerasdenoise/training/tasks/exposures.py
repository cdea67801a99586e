"""Training on what many exposures of the same scene would average to."""

from __future__ import annotations

import keras

from kerasdenoise.inference.tone import WINDOW
from kerasdenoise.tensors import Tensor
from kerasdenoise.tensors.resample import filter_pair, gaussian_response
from kerasdenoise.training.tasks.task import Example, Task


class Exposures(Task):
    """Compares with the mean of many noisy images, in the tone of the one that the network gets.

    A network cannot tell the tone of the mean from one noisy image, and guesses it by how its
    training pictures were clipped. On photos of other cameras that is a tint. So the target is
    the mean of many exposures (see `Noise.draw_pair`) plus the noise under a Gaussian window of
    `inference.tone.WINDOW` pixels, which the network has no reason to change.
    """

    objective = "exposures"

    def draw(self, clean: Tensor) -> Example:
        """Draws noise; the target keeps what of it is wider than the window."""
        noisy, mean = self._noise.draw_pair(clean, self.seed_generator)
        width = keras.ops.full((clean.shape[0], 1, 1, 1), WINDOW)
        response = gaussian_response(width, clean.shape[1], clean.shape[2])
        change = noisy - mean
        return Example(noisy, mean + filter_pair(change, change, response)[0], mean)
