"""Training of a small network on one noisy image alone, by means of its diagonals."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.noise.own import Reach
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.tasks.self_supervised import SelfSupervised
from kerasdenoise.training.tasks.task import Split


class ZeroShot(SelfSupervised):
    """Makes two images of half the size of one: the means of both diagonals of each 2x2 pixels.

    Each is the target of the other. So that what is learned holds for the whole image too, its
    result is reduced in the same way, and must be the result of the reduced image (Mansour and
    Heckel, "Zero-shot Noise2Noise: efficient image denoising without any data", CVPR 2023). The
    noise must be white: what neighbors share, both means have.
    """

    objective = "zero_shot"

    @staticmethod
    def split(noisy: Tensor, seed: keras.random.SeedGenerator, reach: Reach = (0, 0)) -> Split:
        """Takes the means of diagonals; nothing is drawn."""
        del seed, reach
        first, second = average_diagonals(noisy)
        return Split(first, second, keras.ops.ones_like(first))

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Any]:
        """Returns what `Task` does, and as `reduced` the result of the whole image, reduced."""
        ops = keras.ops
        (noisy,) = self._crop(self._noise(clean, self.seed_generator))
        whole = self._call_denoiser(noisy, noisy, training)["denoised"]
        first, second = average_diagonals(noisy)
        given = ops.concatenate([first, second])
        return {
            "noisy": given,
            "target": ops.concatenate([second, first]),
            "reduced": ops.concatenate(average_diagonals(whole)),
            **self._call_denoiser(given, given, training),
        }

    def compare(self, seen: dict[str, Any]) -> Tensor:
        """Returns both errors, of the same weight."""
        ops = keras.ops
        error = ops.mean(self._image_loss(seen["target"], seen["denoised"]))
        return error + ops.mean(ops.square(seen["denoised"] - seen["reduced"]))


def average_diagonals(images: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the means of the rising and of the falling diagonal of each 2x2 pixels.

    Args:
        images: (batch, height, width, channels), sides even.
    """
    top, bottom = images[:, ::2], images[:, 1::2]
    rising = (bottom[:, :, ::2] + top[:, :, 1::2]) / 2
    falling = (top[:, :, ::2] + bottom[:, :, 1::2]) / 2
    return rising, falling
