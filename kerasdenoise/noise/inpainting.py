"""A part of the image that is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.noise.base import Noise, Tensor, parse_range, per_image


@dataclass(frozen=True)
class Inpainting(Noise):
    """Sets a rectangle at a random place to 0, in all channels.

    The rectangle has the same fraction of the image's height and of its width, and lies
    within the image.

    Attributes:
        low: The smallest fraction of each side.
        high: The largest; each image's fraction is uniform between the two.
    """

    kind: ClassVar[str] = "inpainting"

    low: float = 0.5
    high: float = 0.5

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads nothing, `0.5` or `0.1-0.5`: fractions of each side."""
        return cls(*parse_range(cls.kind, argument, 1.0)) if argument else cls()

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Erases the rectangle; see `Noise.__call__`."""
        ops = keras.ops
        _, height, width, _ = ops.shape(clean)
        fraction = per_image(clean, self.low, self.high, seed)
        rows = _covered(height, fraction, per_image(clean, 0.0, 1.0, seed))
        columns = _covered(width, fraction, per_image(clean, 0.0, 1.0, seed))
        missing = ops.logical_and(
            ops.reshape(rows, (-1, height, 1, 1)), ops.reshape(columns, (-1, 1, width, 1))
        )
        return ops.where(missing, 0.0, clean)


def _covered(side: int, fraction: Tensor, place: Tensor) -> Tensor:
    """Which pixels along a side are covered, shaped (batch, 1, 1, side).

    Args:
        side: Pixels in all.
        fraction: Share of them that is covered, rounded to whole pixels.
        place: Number in [0, 1) that says where the covered ones start.
    """
    ops = keras.ops
    pixels = ops.cast(ops.arange(side), "float32")
    size = ops.round(fraction * ops.cast(side, "float32"))
    room = ops.cast(side, "float32") - size
    # A place next to 1 may round up.
    start = ops.minimum(ops.floor(place * (room + 1)), room)
    return ops.logical_and(pixels >= start, pixels < start + size)
