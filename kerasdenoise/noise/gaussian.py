"""Additive Gaussian noise: white, gray, or in lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import keras

from kerasdenoise.noise.base import Noise, parse_range, per_image
from kerasdenoise.tensors import Tensor

_PIXEL = "pixel:"
_LINES = "lines:"


@dataclass(frozen=True)
class Gaussian(Noise):
    """Independent Gaussian noise with one level per image, not clipped.

    `noisy = clean + sigma * n` with `n` ~ N(0, 1) for each pixel and channel. Published
    tables do not clip either; clipping would make the noise depend on the image.

    Attributes:
        low: The smallest standard deviation, on the [0, 1] scale.
        high: The largest; each image's level is uniform between the two.
        per_pixel: Whether `n` is the same in all channels of a pixel, like film grain, or like a
            gray image in an RGB model.
        in_lines: Whether `n` is the same along each row or each column of a channel, which is
            chosen at random for each image.
    """

    kind: ClassVar[str] = "gaussian"
    keeps_tone: ClassVar[bool] = True

    low: float = 0.0
    high: float = 55 / 255
    per_pixel: bool = False
    in_lines: bool = False

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads `25`, `0-55`, `pixel:25` or `lines:25`: deviations on the 0-255 scale."""
        per_pixel, in_lines = argument.startswith(_PIXEL), argument.startswith(_LINES)
        levels = argument.removeprefix(_PIXEL if per_pixel else _LINES)
        low, high = parse_range(cls.kind, levels, 255.0)
        return cls(low / 255, high / 255, per_pixel, in_lines)

    @property
    def zero_mean(self) -> bool:
        """True, because nothing is clipped."""
        return True

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Adds the noise; see `Noise.__call__`."""
        sigma = per_image(clean, self.low, self.high, seed)
        return clean + sigma * self._draw(keras.ops.shape(clean), seed)

    def _draw(self, shape: tuple[Any, ...], seed: keras.random.SeedGenerator) -> Tensor:
        batch, height, width, channels = shape
        if self.per_pixel:
            return keras.random.normal((batch, height, width, 1), dtype="float32", seed=seed)
        if not self.in_lines:
            return keras.random.normal(shape, dtype="float32", seed=seed)
        rows = keras.random.normal((batch, height, 1, channels), dtype="float32", seed=seed)
        columns = keras.random.normal((batch, 1, width, channels), dtype="float32", seed=seed)
        is_in_rows = keras.random.uniform((batch, 1, 1, 1), dtype="float32", seed=seed) < 0.5
        return keras.ops.where(is_in_rows, rows, columns)
