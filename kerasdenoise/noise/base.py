"""What every corruption is: a seedable map from clean to noisy images."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import keras
import numpy as np

from kerasdenoise.errors import UsageError

# A backend's tensor. Keras defines no public type for it.
Tensor = Any

_NUMBER = r"(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
_RANGE = re.compile(rf"{_NUMBER}(?:-{_NUMBER})?", re.ASCII)


@dataclass(frozen=True)
class Noise:
    """A corruption of images, drawn with the operations of the active Keras backend.

    Subclasses are frozen dataclasses whose fields are the ranges of the random parameters.
    Each image of a batch draws its own parameters.

    Attributes:
        kind: What the command line and recipes call it.
        multiple: What height and width of the images must be multiples of.
        color_only: Whether images must be RGB.
        text: What it was parsed from; noises that are equal may be written otherwise.
        keeps_tone: Whether it leaves the mean of many pixels nearly as it is, so that a denoiser
            has no reason to change it.
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
            UsageError: If the text is not what this kind takes.
        """
        raise UsageError(f"{cls.kind}:{argument}", "takes no argument", f"write {cls.kind!r}")

    @property
    def zero_mean(self) -> bool:
        """Whether the mean over many noisy versions of an image is the clean image."""
        return False

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Draws one noisy version of each image.

        Args:
            clean: Float32 images (batch, height, width, channels) in [0, 1], as `multiple` and
                `color_only` say.
            seed: Where the random numbers come from; its state advances.

        Returns:
            Float32 images of the same shape.
        """
        raise TypeError(f"{type(self).__name__} does not define how noise is drawn")

    def draw_pair(self, clean: Tensor, seed: keras.random.SeedGenerator) -> tuple[Tensor, Tensor]:
        """Draws one noisy version of each image, and what it is a noisy version of.

        Noise that is clipped shifts the mean, and nothing in a noisy picture tells by how much.
        A network that learns to undo the shift guesses, which tints what was clipped otherwise.

        Args:
            clean: As `__call__` takes it.
            seed: As there; the first result is what `__call__` draws.

        Returns:
            The noisy images; and the mean of many exposures with the same parameters, float32 of
            the same shape. Unless a kind says otherwise, that is `clean`.
        """
        return self(clean, seed), clean


def corrupt_arrays(noise: Noise, clean: np.ndarray, seed: int) -> np.ndarray:
    """Draws one noisy version of each image, in NumPy.

    Not every backend computes with NumPy's arrays and its own tensors together.

    Args:
        noise: The corruption.
        clean: Float32 images (batch, height, width, channels) in [0, 1], as the noise takes them.
        seed: The same one gives the same noise.

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
    """Returns the mean of Gaussian numbers that were clipped to [0, 1].

    Args:
        mean: Their mean before, of any shape.
        deviation: Their standard deviation before; 0 clips the mean itself.
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
        UsageError: If the text is neither, or out of range.
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
