"""Training of a small network by what a better one makes of the same noisy picture."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.losses import l2
from kerasdenoise.noise.base import Tensor
from kerasdenoise.training.task import DenoisingTask, give_inputs, measure_noise

_EPSILON = 1e-6


class DistillationTask(DenoisingTask):
    """Trains a network for the clean picture, by way of a teacher's results.

    What no network can know of the clean picture is most of a small network's error, and
    differs from patch to patch: it makes the gradient unsteady, and teaches nothing. The
    teacher's result lacks it. As far as the teacher gives the clean picture's mean, given the
    noisy one, both have the same least squared error in the mean (Hinton et al., "Distilling
    the knowledge in a neural network", 2015, has the idea for classes).

    Args:
        *args: What `DenoisingTask` takes.
        teacher: A network of noisy images alone.
        **kwargs: What `DenoisingTask` takes.
    """

    def __init__(self, *args: Any, teacher: keras.Model, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A function, not an attribute that is a model: the teacher is no part of what is trained
        # and kept.
        self._teach = lambda noisy: teacher(noisy, training=False)

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Returns what `DenoisingTask` does, and as `taught` what the teacher makes of it."""
        noisy, target = self._objective(clean, self._noise, self.seed_generator)
        level = measure_noise(noisy, clean)
        noisy, target = self._crop(noisy, target)
        inputs = give_inputs(self.denoiser, noisy, level)
        return {
            "inputs": inputs,
            "target": target,
            "denoised": self.denoiser(inputs, training=training),
            "taught": keras.ops.stop_gradient(keras.ops.clip(self._teach(noisy), 0, 1)),
        }

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:
        """Compares with the teacher; there is no other target."""
        return compare_with_teacher(y_pred)


def compare_with_teacher(seen: dict[str, Tensor]) -> Tensor:
    """Returns the mean over patches of the squared difference from what a teacher gives.

    Each counts by the inverse of its squared error against the clean picture, which makes the
    gradient that of decibels: the same as of the loss `psnr`, less what the teacher cannot know.

    Args:
        seen: `target`, the clean picture; `taught`, the teacher's result; and `denoised`.
    """
    own = keras.ops.stop_gradient(l2(seen["target"], seen["denoised"]))
    return keras.ops.mean(l2(seen["taught"], seen["denoised"]) / (own + _EPSILON))
