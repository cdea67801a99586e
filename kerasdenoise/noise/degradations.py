"""What is lost of an image without any noise: sharpness, a part, or fine pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.errors import UsageError
from kerasdenoise.noise.base import Noise, parse_range, per_image
from kerasdenoise.tensors import Tensor

# Beyond this many standard deviations, a Gaussian is zero.
_REACH = 4.0

_LARGEST_CELL = 256


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
