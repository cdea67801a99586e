"""Additive white Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.noise.base import Noise, Tensor, parse_range, per_image

_PIXEL = "pixel:"


@dataclass(frozen=True)
class Gaussian(Noise):
    """Independent Gaussian noise of one level for each image, not clipped.

    `noisy = clean + sigma * n` with `n` ~ N(0, 1) for each pixel and channel. The field's
    tables are made without clipping, which would make the noise depend on the image.

    Attributes:
        low: The smallest standard deviation, on the [0, 1] scale.
        high: The largest; each image's level is uniform between the two.
        per_pixel: Whether `n` is the same for all channels of a pixel, as film grain is, and
            as the noise of a gray image is that an RGB model gets.
    """

    kind: ClassVar[str] = "gaussian"

    low: float = 0.0
    high: float = 55 / 255
    per_pixel: bool = False

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads `25`, `0-55` or `pixel:25`: standard deviations on the 0-255 scale."""
        levels = argument.removeprefix(_PIXEL)
        low, high = parse_range(cls.kind, levels, 255.0)
        return cls(low / 255, high / 255, per_pixel=levels != argument)

    @property
    def zero_mean(self) -> bool:
        """True, for nothing is clipped."""
        return True

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Adds the noise; see `Noise.__call__`."""
        sigma = per_image(clean, self.low, self.high, seed)
        shape = keras.ops.shape(clean)
        drawn = (*shape[:3], 1) if self.per_pixel else shape
        return clean + sigma * keras.random.normal(drawn, seed=seed)
