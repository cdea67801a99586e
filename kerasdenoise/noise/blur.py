"""Blur: the loss of detail, without noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.noise.base import Noise, parse_range, per_image
from kerasdenoise.tensors import Tensor

# Beyond this many standard deviations, a Gaussian is zero.
_REACH = 4.0


@dataclass(frozen=True)
class Blur(Noise):
    """Averages each pixel with its neighbors; beyond the borders the image is mirrored.

    A box of width `w` weights pixels by the area that it covers: an odd `w` is the mean of
    `w` x `w` pixels. A Gaussian of width `w` has the box's second moment,
    `(w * w - 1) / 12`. Widths up to 1 change nothing.

    Attributes:
        low: The smallest width in pixels.
        high: The largest; each image's width is uniform between the two.
        gaussian: Whether the window is a Gaussian.
    """

    kind: ClassVar[str] = "blur"

    low: float = 9.0
    high: float = 9.0
    gaussian: bool = False

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads nothing, `9` or `1-15`: widths in pixels; after `gaussian:`, of a Gaussian."""
        gaussian = argument.partition(":")[0] == "gaussian"
        widths = argument.removeprefix("gaussian").removeprefix(":") if gaussian else argument
        low, high = parse_range(cls.kind, widths, 99.0) if widths else (cls.low, cls.high)
        return cls(low, high, gaussian)

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Blurs each image; see `Noise.__call__`."""
        width = per_image(clean, self.low, self.high, seed)
        reach = self._reach()
        weights = [self._weight(width, offset) for offset in range(-reach, reach + 1)]
        total = sum(weights)
        blurred = clean
        for axis in (1, 2):
            blurred = sum(
                weight / total * _shifted(blurred, offset, axis)
                for offset, weight in enumerate(weights, -reach)
            )
        return blurred

    def _reach(self) -> int:
        """The number of neighbors on each side in the widest window."""
        width = max(self.high, 1.0)
        if self.gaussian:
            return math.ceil(_REACH * math.sqrt((width**2 - 1) / 12))
        return math.ceil((width - 1) / 2)

    def _weight(self, width: Tensor, offset: int) -> Tensor:
        ops = keras.ops
        if not self.gaussian:
            return ops.clip((width + 1) / 2 - abs(offset), 0.0, 1.0)
        variance = ops.maximum((width * width - 1) / 12, 1e-6)
        return ops.exp(-(offset**2) / (2 * variance))


def _shifted(images: Tensor, offset: int, axis: int) -> Tensor:
    """Moves images along an axis, mirrored at the middle of their outermost pixels."""
    ops = keras.ops
    side = ops.shape(images)[axis]
    period = ops.maximum(2 * (side - 1), 1)
    place = ops.mod(ops.arange(side) + offset, period)
    return ops.take(images, ops.minimum(place, period - place), axis=axis)
