"""Noise that changes each value, or each pixel, by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import keras

from kerasdenoise.errors import UsageError
from kerasdenoise.noise.base import Noise, clipped_mean, parse_range, per_image
from kerasdenoise.tensors import Tensor

_PIXEL = "pixel:"
_LINES = "lines:"

# Up to this rate counts are drawn from the exact distribution. The omitted terms add up to 3e-8.
_SMALL_RATE = 8.0
_TERMS = 28
# Sums of float32 probabilities differ from one by 5e-7 at most.
_LARGEST_PROBABILITY = 1.0 - 1e-6
_SMALLEST_GAIN = 1e-6
_LARGEST_PEAK = 10_000.0


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


@dataclass(frozen=True)
class Poisson(Noise):
    """Noise of counted photons, in three forms, not clipped.

    - `counted`: `noisy = g * Poisson(255 * clean / g) / 255`, of mean `clean` and variance
      `g * clean / 255`. The gain `g` is the number of gray levels (of 255) per photon; white
      is a mean of `255 / g` photons, the peak.
    - `additive`: `noisy = clean + Poisson(255 * clean) / 255`, twice as bright as `clean`.
      The literal reading of the Poisson autoencoder paper's formula, `I + Poisson(I)`.
    - `halved`: half of `additive`, of mean `clean`.

    Attributes:
        low: The smallest gain; 0 is no noise. `additive` and `halved` have gain 1.
        high: The largest; each image's gain is uniform between the two.
        form: One of the three.
    """

    kind: ClassVar[str] = "poisson"
    keeps_tone: ClassVar[bool] = True

    low: float = 5.5
    high: float = 5.5
    form: Literal["counted", "additive", "halved"] = "counted"

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads nothing, `5.5` or `1-8` (gains), `shot:30` (peaks), `additive` or `halved`."""
        if argument == "":
            return cls()
        if argument in ("additive", "halved"):
            return cls(1.0, 1.0, argument)
        form, colon, rest = argument.partition(":")
        if not colon:
            return cls(*parse_range(cls.kind, argument, 255.0))
        if form != "shot":
            raise UsageError(
                f"{cls.kind}:{argument}",
                f"has no form {form!r}",
                "write a gain as in 'poisson:5.5', a peak as in 'poisson:shot:30', "
                "'poisson:additive' or 'poisson:halved'",
            )
        low, high = parse_range(f"{cls.kind}:shot", rest, _LARGEST_PEAK)
        if low == 0:
            raise UsageError(
                f"{cls.kind}:{argument}", "needs a peak above 0", "write 'poisson:shot:30'"
            )
        return cls(255 / high, 255 / low)

    @property
    def zero_mean(self) -> bool:
        """True, except for `additive`, which doubles the mean."""
        return self.form != "additive"

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Counts the photons of each pixel and channel; see `Noise.__call__`."""
        gain = per_image(clean, self.low, self.high, seed)
        gain = keras.ops.maximum(gain, _SMALLEST_GAIN) / 255
        counted = gain * draw_counts(clean / gain, seed)
        if self.form == "counted":
            return counted
        return clean + counted if self.form == "additive" else (clean + counted) / 2


def draw_counts(rate: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
    """Draws Poisson numbers without value-dependent loops, on any backend.

    One normal number per pixel is mapped to the Poisson distribution: for small rates by its
    cumulative probabilities, for others by their expansion in powers of the rate (Giles,
    "Algorithm 955: approximation of the inverse Poisson cumulative distribution function", ACM
    TOMS 2016). About 1 in 5,000 draws differs at the smallest of those rates, and fewer above.

    Args:
        rate: Float32 expected counts of any shape; negative ones count as zero.
        seed: The source of random numbers.

    Returns:
        Whole float32 numbers of the same shape.
    """
    normal = keras.random.normal(keras.ops.shape(rate), dtype="float32", seed=seed)
    return keras.ops.where(rate < _SMALL_RATE, _few(rate, normal), _many(rate, normal))


def _few(rate: Tensor, normal: Tensor) -> Tensor:
    ops = keras.ops
    rate = ops.clip(rate, 0.0, _SMALL_RATE)
    place = ops.minimum((1.0 + ops.erf(normal / math.sqrt(2))) / 2, _LARGEST_PROBABILITY)
    probability = ops.exp(-rate)
    cumulative = probability
    count = ops.zeros_like(rate)
    for number in range(1, _TERMS):
        count = count + ops.cast(place > cumulative, "float32")
        probability = probability * rate / number
        cumulative = cumulative + probability
    return count


def _many(rate: Tensor, normal: Tensor) -> Tensor:
    ops = keras.ops
    rate = ops.maximum(rate, _SMALL_RATE)
    root, square = ops.sqrt(rate), normal * normal
    skew = 1 / 3 + square / 6
    third = -normal * (1 / 36 + square / 72) / root
    fourth = (-8 / 405 + square * (7 / 810 + square / 270)) / rate
    place = rate + root * normal + skew + third + fourth
    return ops.maximum(ops.floor(place), 0.0)


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


@dataclass(frozen=True)
class SaltAndPepper(Noise):
    """Sets a random share of the values to 1 (salt) or 0 (pepper).

    Attributes:
        low: The smallest share of lost values.
        high: The largest; each image's share is uniform between the two.
        salt: Share of the lost values that become 1.
        per_channel: Whether channels are lost separately, or whole pixels.
    """

    kind: ClassVar[str] = "salt_and_pepper"

    low: float = 0.05
    high: float = 0.05
    salt: float = 0.5
    per_channel: bool = True

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads nothing, `0.05` or `0-0.35`: shares; after `pixel:`, of whole pixels."""
        shares = argument.removeprefix("pixel:")
        low, high = parse_range(cls.kind, shares, 1.0) if argument else (cls.low, cls.high)
        return cls(low, high, per_channel=shares == argument)

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Replaces the values; see `Noise.__call__`."""
        ops = keras.ops
        batch, height, width, channels = ops.shape(clean)
        independent = channels if self.per_channel else 1
        lost = per_image(clean, self.low, self.high, seed)
        place = keras.random.uniform(
            (batch, height, width, independent), dtype="float32", seed=seed
        )
        noisy = ops.where(place < lost, 0.0, clean)
        return ops.where(place < self.salt * lost, 1.0, noisy)
