"""Noise that what follows makes coarser: compression by JPEG, and the grain of film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.noise.base import Noise, clipped_mean, parse_range, per_image
from kerasdenoise.tensors import Tensor
from kerasdenoise.tensors.jpeg import jpeg
from kerasdenoise.tensors.resample import filter_pair, gaussian_response

# Width of a Gaussian window at half its height, in standard deviations.
_FULL_WIDTH = 2.355


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


@dataclass(frozen=True)
class Film(Noise):
    """Grain several pixels wide, mostly gray, and strongest in the mid-tones.

    `noisy = clip(clean + sigma * profile(clean) * grain, 0, 1)`. The grain has deviation 1; it is
    white noise smoothed by a Gaussian window. `profile` is 1 in mid-gray and falls to
    `floor` in black and white, where a print has either no grains or nothing but grains.

    Attributes:
        low: The smallest standard deviation in mid-gray, on the [0, 1] scale.
        high: The largest; each image's is uniform between the two.
        size: Range of the grain's width at half its height, in pixels.
        floor: Range of the deviation in black and white, relative to mid-gray.
        color: Range of the share of the variance that is independent per channel.
    """

    kind: ClassVar[str] = "film"
    keeps_tone: ClassVar[bool] = True

    low: float = 2 / 255
    high: float = 20 / 255
    size: tuple[float, float] = (1.0, 4.0)
    floor: tuple[float, float] = (0.1, 0.5)
    color: tuple[float, float] = (0.0, 0.2)

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads nothing, `10` or `2-20`: standard deviations in mid-gray on the 0-255 scale."""
        if argument == "":
            return cls()
        low, high = parse_range(cls.kind, argument, 255.0)
        return cls(low / 255, high / 255)

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Adds the grain; see `Noise.__call__`."""
        return self.draw_pair(clean, seed)[0]

    def draw_pair(self, clean: Tensor, seed: keras.random.SeedGenerator) -> tuple[Tensor, Tensor]:
        """Draws grainy images and their mean, which clipping shifts; see `Noise.draw_pair`."""
        ops = keras.ops
        floor = per_image(clean, *self.floor, seed)
        # A circle: 0 in black and white, 1 between them, and steep at its ends.
        middle = ops.sqrt(ops.clip(4.0 * clean * (1.0 - clean), 0.0, 1.0))
        deviation = per_image(clean, self.low, self.high, seed)
        deviation = deviation * (floor + (1.0 - floor) * middle)
        noisy = ops.clip(clean + deviation * self._draw_grain(clean, seed), 0.0, 1.0)
        return noisy, clipped_mean(clean, deviation)

    def _draw_grain(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Draws Gaussian numbers of deviation 1, correlated between neighbors and channels."""
        ops = keras.ops
        batch, height, width, _ = ops.shape(clean)
        common = keras.random.normal(
            (batch, height, width, 1), dtype="float32", seed=seed
        ) * ops.ones_like(clean)
        own = keras.random.normal(ops.shape(clean), dtype="float32", seed=seed)
        window = per_image(clean, *self.size, seed) / _FULL_WIDTH
        response = gaussian_response(window, height, width)
        response = response / ops.sqrt(ops.mean(ops.square(response), axis=(2, 3), keepdims=True))
        common, own = filter_pair(common, own, response)
        share = per_image(clean, *self.color, seed)
        return ops.sqrt(1.0 - share) * common + ops.sqrt(share) * own
