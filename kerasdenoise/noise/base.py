"""What every kind of noise is, and several kinds in one batch."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import keras
import numpy as np

from kerasdenoise.errors import UsageError
from kerasdenoise.tensors import Tensor

_NUMBER = r"(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
_RANGE = re.compile(rf"{_NUMBER}(?:-{_NUMBER})?", re.ASCII)


@dataclass(frozen=True)
class Noise:
    """A corruption of images, drawn with the operations of the active Keras backend.

    Subclasses are frozen dataclasses whose fields are the ranges of the random parameters.
    Each image of a batch draws its own parameters.

    Attributes:
        kind: Its name on the command line and in recipes.
        multiple: The height and width of images must be multiples of this.
        color_only: Whether images must be RGB.
        text: The text that it was parsed from; equal noises may have different texts.
        keeps_tone: Whether it hardly changes the mean of many pixels, so that a denoiser has no
            reason to change it.
    """

    kind: ClassVar[str]
    multiple: ClassVar[int] = 1
    color_only: ClassVar[bool] = False
    keeps_tone: ClassVar[bool] = False

    text: str = field(default="", compare=False, repr=False, kw_only=True)

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Builds the corruption from the text after the colon of `kind:argument`.

        Raises:
            UsageError: The text is invalid for this kind.
        """
        raise UsageError(f"{cls.kind}:{argument}", "takes no argument", f"write {cls.kind!r}")

    @property
    def zero_mean(self) -> bool:
        """Whether the mean over many noisy versions of an image is the clean image."""
        return False

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Draws one noisy version of each image.

        Args:
            clean: Float32 images (batch, height, width, channels) in [0, 1] that fit `multiple`
                and `color_only`.
            seed: The source of random numbers; its state advances.

        Returns:
            Float32 images of the same shape.
        """
        raise TypeError(f"{type(self).__name__} does not define how noise is drawn")

    def draw_pair(self, clean: Tensor, seed: keras.random.SeedGenerator) -> tuple[Tensor, Tensor]:
        """Draws one noisy version of each image, and its training target.

        Clipped noise shifts the mean, and nothing in a noisy image tells by how much. A network
        that learns to undo the shift guesses, and tints images that were clipped in other ways.

        Args:
            clean: As for `__call__`.
            seed: As for `__call__`, which draws the same noisy images.

        Returns:
            The noisy images, and the mean of many exposures with the same parameters, float32 of
            the same shape. The mean is `clean` by default.
        """
        return self(clean, seed), clean


def corrupt_arrays(noise: Noise, clean: np.ndarray, seed: int) -> np.ndarray:
    """Draws one noisy version of each image, in NumPy.

    Not every backend can mix NumPy arrays with its own tensors.

    Args:
        noise: The corruption.
        clean: Float32 images (batch, height, width, channels) in [0, 1], valid for the noise.
        seed: Random seed.

    Returns:
        Float32 images of the same shape.
    """
    noisy = noise(keras.ops.convert_to_tensor(clean), keras.random.SeedGenerator(seed))
    return keras.ops.convert_to_numpy(noisy)


def per_image(clean: Tensor, low: float, high: float, seed: keras.random.SeedGenerator) -> Tensor:
    """Draws one number in [low, high] for each image, shaped (batch, 1, 1, 1)."""
    batch = keras.ops.shape(clean)[0]
    return keras.random.uniform((batch, 1, 1, 1), low, high, dtype="float32", seed=seed)


def clipped_mean(mean: Tensor, deviation: Tensor) -> Tensor:
    """Returns the mean of Gaussian numbers clipped to [0, 1].

    Args:
        mean: Their mean before clipping, of any shape.
        deviation: Their standard deviation before clipping; 0 clips the mean itself.
    """
    deviation = keras.ops.maximum(deviation, 1e-6)
    above_black, above_white = mean / deviation, (mean - 1.0) / deviation
    return deviation * (_mean_excess(above_black) - _mean_excess(above_white))


def _mean_excess(mean: Tensor) -> Tensor:
    """The mean of `max(n, 0)` of Gaussian numbers of deviation 1."""
    ops = keras.ops
    density = ops.exp(-0.5 * ops.square(mean)) * (1.0 / math.sqrt(2 * math.pi))
    return density + mean * (0.5 + 0.5 * ops.erf(mean * math.sqrt(0.5)))


def parse_range(kind: str, argument: str, upper: float) -> tuple[float, float]:
    """Reads `N` or `LOW-HIGH` as two numbers with 0 <= low <= high <= upper.

    Raises:
        UsageError: The text is neither, or out of range.
    """
    found = _RANGE.fullmatch(argument)
    low, high = (float(found[1]), float(found[2] or found[1])) if found else (1.0, 0.0)
    if not 0 <= low <= high <= upper:
        raise UsageError(
            f"{kind}:{argument}",
            f"needs one number or a range within 0-{upper:g}",
            f"write for example '{kind}:{upper / 4:g}' or '{kind}:0-{upper / 2:g}'",
        )
    return low, high


@dataclass(frozen=True)
class Mixture(Noise):
    """Applies each corruption to a fixed share of every batch.

    The split is by position, so each corruption is computed only for its own images. Batches
    must be in random order.

    Attributes:
        noises: The corruptions.
        shares: Their positive shares, with any sum.
    """

    noises: Sequence[Noise]
    shares: Sequence[float]

    @property
    def zero_mean(self) -> bool:
        """Whether all corruptions have zero mean."""
        return all(noise.zero_mean for noise in self.noises)

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Draws the noise of each part; the batch size is static. See `Noise.__call__`."""
        return self.draw_pair(clean, seed)[0]

    def draw_pair(self, clean: Tensor, seed: keras.random.SeedGenerator) -> tuple[Tensor, Tensor]:
        """Draws the pairs of each part; see `Noise.draw_pair`."""
        counts = self.counts(clean.shape[0])
        pairs = [
            noise.draw_pair(clean[stop - count : stop], seed)
            for noise, count, stop in zip(self.noises, counts, np.cumsum(counts), strict=True)
            if count
        ]
        noisy, expected = zip(*pairs, strict=True)
        return keras.ops.concatenate(noisy, axis=0), keras.ops.concatenate(expected, axis=0)

    def counts(self, batch: int) -> list[int]:
        """The number of images of a batch for each corruption; a small share may get none."""
        stops = np.round(np.cumsum(self.shares) / np.sum(self.shares) * batch).astype(int)
        return np.diff(stops, prepend=0).tolist()
