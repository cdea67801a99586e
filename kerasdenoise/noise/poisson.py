"""Poisson noise: the counting of photons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import keras

from kerasdenoise.errors import UsageError
from kerasdenoise.noise.base import Noise, parse_range, per_image
from kerasdenoise.tensors import Tensor

# Up to this rate counts are drawn from the exact distribution. The omitted terms add up to 3e-8.
_SMALL_RATE = 8.0
_TERMS = 28
# Sums of float32 probabilities differ from one by 5e-7 at most.
_LARGEST_PROBABILITY = 1.0 - 1e-6
_SMALLEST_GAIN = 1e-6
_LARGEST_PEAK = 10_000.0


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
