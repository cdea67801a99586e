"""Coarse pixels: downscaling, undone by repetition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.errors import UsageError
from kerasdenoise.noise.base import Noise
from kerasdenoise.tensors import Tensor

_LARGEST_CELL = 256


@dataclass(frozen=True)
class Pixelate(Noise):
    """Replaces the pixels of each square cell by their mean.

    Cells start at the top left; those at the other two borders may be smaller.

    Attributes:
        cell: Height and width of a cell in pixels; 1 changes nothing.
    """

    kind: ClassVar[str] = "pixelate"

    cell: int = 4

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads nothing or `4`: the size of a cell in pixels."""
        if argument == "":
            return cls()
        if not argument.isdecimal() or not 1 <= int(argument) <= _LARGEST_CELL:
            raise UsageError(
                f"{cls.kind}:{argument}",
                f"needs a whole number of pixels within 1-{_LARGEST_CELL}",
                f"write for example '{cls.kind}:4'",
            )
        return cls(int(argument))

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Makes each image coarse, without randomness; see `Noise.__call__`."""
        ops = keras.ops
        _, height, width, _ = ops.shape(clean)
        means = self._sums(clean) / self._sums(ops.ones_like(clean))
        coarse = ops.repeat(ops.repeat(means, self.cell, axis=1), self.cell, axis=2)
        return coarse[:, :height, :width]

    def _sums(self, images: Tensor) -> Tensor:
        """Sums over each cell, up to a common factor."""
        more = self.cell - 1
        padded = keras.ops.pad(images, ((0, 0), (0, more), (0, more), (0, 0)))
        return keras.ops.average_pool(
            padded, self.cell, strides=self.cell, data_format="channels_last"
        )
