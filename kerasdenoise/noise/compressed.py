"""Gaussian noise, compressed with the image by JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.noise.base import Noise, clipped_mean, parse_range, per_image
from kerasdenoise.tensors import Tensor
from kerasdenoise.tensors.jpeg import jpeg


@dataclass(frozen=True)
class Compressed(Noise):
    """Gaussian noise followed by JPEG compression.

    The remaining noise is neither white nor independent of the image.

    Attributes:
        low: The smallest standard deviation before compression, on the [0, 1] scale.
        high: The largest; each image's level is uniform between the two.
        quality: Range of the JPEG quality.
        subsampled: Share of the images with half-resolution chroma.
    """

    kind: ClassVar[str] = "compressed"
    multiple: ClassVar[int] = 16  # two blocks of JPEG, for half-resolution chroma
    color_only: ClassVar[bool] = True
    keeps_tone: ClassVar[bool] = True

    low: float = 0.0
    high: float = 55 / 255
    quality: tuple[float, float] = (60.0, 98.0)
    subsampled: float = 0.5

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads `25` or `0-55`: standard deviations on the 0-255 scale."""
        low, high = parse_range(cls.kind, argument, 255.0)
        return cls(low / 255, high / 255)

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Adds the noise, clips and compresses; see `Noise.__call__`."""
        return self.draw_pair(clean, seed)[0]

    def draw_pair(self, clean: Tensor, seed: keras.random.SeedGenerator) -> tuple[Tensor, Tensor]:
        """Draws noisy images, and their mean before compression; see `Noise.draw_pair`.

        JPEG's losses are not part of that mean.
        """
        ops = keras.ops
        sigma = per_image(clean, self.low, self.high, seed)
        noisy = clean + sigma * keras.random.normal(ops.shape(clean), dtype="float32", seed=seed)
        quality = per_image(clean, *self.quality, seed)
        half_chroma = per_image(clean, 0.0, 1.0, seed) < self.subsampled
        noisy = jpeg(ops.clip(noisy, 0.0, 1.0), [quality], 2.0 * ops.cast(half_chroma, "float32"))
        return noisy, clipped_mean(clean, sigma)
