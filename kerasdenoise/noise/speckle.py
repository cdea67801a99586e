"""Multiplicative noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.noise.base import Noise, clipped_mean, parse_range, per_image
from kerasdenoise.tensors import Tensor


@dataclass(frozen=True)
class Speckle(Noise):
    """Gaussian noise proportional to the pixel, clipped to [0, 1].

    `noisy = clip(clean + clean * n, 0, 1)` with `n` ~ N(0, v) for each pixel and channel. The
    clipping makes bright pixels darker on average.

    Attributes:
        low: The smallest variance v.
        high: The largest; each image's variance is uniform between the two.
    """

    kind: ClassVar[str] = "speckle"
    keeps_tone: ClassVar[bool] = True

    low: float = 0.1
    high: float = 0.1

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads nothing, `0.1` or `0.05-0.2`: variances."""
        return cls(*parse_range(cls.kind, argument, 1.0)) if argument else cls()

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Applies the noise; see `Noise.__call__`."""
        return self.draw_pair(clean, seed)[0]

    def draw_pair(self, clean: Tensor, seed: keras.random.SeedGenerator) -> tuple[Tensor, Tensor]:
        """Draws noisy images and their mean, which clipping darkens; see `Noise.draw_pair`."""
        ops = keras.ops
        deviation = ops.sqrt(per_image(clean, self.low, self.high, seed))
        factor = 1.0 + deviation * keras.random.normal(ops.shape(clean), dtype="float32", seed=seed)
        return ops.clip(clean * factor, 0.0, 1.0), clipped_mean(clean, clean * deviation)
