"""The noise that photos have of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.noise.base import Noise
from kerasdenoise.tensors import Tensor


@dataclass(frozen=True)
class Own(Noise):
    """Adds nothing: the photos are noisy already, and there are no clean ones.

    Only training tasks that need no clean image can learn from it.
    """

    kind: ClassVar[str] = "own"
    keeps_tone: ClassVar[bool] = True

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Takes no argument."""
        return super().parse(argument) if argument else cls()

    @property
    def zero_mean(self) -> bool:
        """True: that is what those tasks assume."""
        return True

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Returns the images as they are; see `Noise.__call__`."""
        del seed
        return clean
