"""Training of a network by what a better one makes of the same noisy picture."""

from __future__ import annotations

from typing import Any

from kerasdenoise.tensors import Tensor
from kerasdenoise.training.task import DenoisingTask
from kerasdenoise.training.teacher import Teacher, compare_with_teacher


class DistillationTask(DenoisingTask):
    """Trains a network for the clean picture, by way of a teacher's results.

    Args:
        *args: What `DenoisingTask` takes.
        teacher: Takes noisy images alone.
        **kwargs: What `DenoisingTask` takes.
    """

    def __init__(self, *args: Any, teacher: Teacher, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._teacher = teacher

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Returns what `DenoisingTask` does, and as `taught` what the teacher makes of it."""
        seen = super().call(clean, training)
        noisy = seen["inputs"][0] if len(self.denoiser.inputs) > 1 else seen["inputs"]
        return {**seen, "taught": self._teacher(noisy, self.seed_generator)}

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:
        """Compares with the teacher; there is no other target."""
        return self._penalize(compare_with_teacher(y_pred))
