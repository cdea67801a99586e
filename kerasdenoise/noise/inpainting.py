"""A missing part of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.noise.base import Noise, parse_range, per_image
from kerasdenoise.tensors import Tensor


@dataclass(frozen=True)
class Inpainting(Noise):
    """Sets a rectangle at a random position to 0, in all channels.

    The rectangle covers the same fraction of the image's height and width, and is inside the
    image.

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
        side: Total number of pixels.
        fraction: Covered share, rounded to whole pixels.
        place: Number in [0, 1) that determines where the covered pixels start.
    """
    ops = keras.ops
    pixels = ops.cast(ops.arange(side), "float32")
    size = ops.round(fraction * ops.cast(side, "float32"))
    room = ops.cast(side, "float32") - size
    # A place close to 1 may round up.
    start = ops.minimum(ops.floor(place * (room + 1)), room)
    return ops.logical_and(pixels >= start, pixels < start + size)
