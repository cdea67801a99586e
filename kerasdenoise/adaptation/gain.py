"""What a model gains on photos of which nobody has a clean version."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
import numpy as np

from kerasdenoise.pixels import to_pixels
from kerasdenoise.training.tasks import Task

# A gain smaller than this, in dB, is none.
_LEAST = 0.02


@dataclass(frozen=True)
class Gain:
    """Squared errors from pixels that neither model has seen, with the noise of these pixels.

    The noise is the same for both and independent of what they give, so that the difference is
    that of their errors from the clean photos, as far as the method's assumption holds.

    Attributes:
        before: Mean over crops, of the model to start from.
        after: The same of the adapted one.
        error: Standard error of the mean difference.
        noise: Variance of the noise, as estimated.
    """

    before: float
    after: float
    error: float
    noise: float

    @property
    def decibels(self) -> float:
        """The gain in dB, noise left out; from nothing but noise, 0 to 10 dB are told apart."""
        least = 0.02 * self.before
        before, after = (max(each - self.noise, least) for each in (self.before, self.after))
        return 10 * math.log10(before / after)

    @property
    def is_better(self) -> bool:
        """Whether the gain is more than chance and too small to matter."""
        seen = 10 * math.log10(self.before / self.after) if self.after > 0 else math.inf
        return self.before - self.after > 2 * self.error and seen > _LEAST

    def describe(self) -> str:
        """Says it in a line of text."""
        before, after = (-10 * math.log10(each) for each in (self.before, self.after))
        return (
            f"held-out pixels, noise included: {before:.2f} dB before, {after:.2f} dB after; "
            f"without their noise about {self.decibels:+.1f} dB"
        )


def measure_gain(
    task: type[Task], before: keras.Model, after: keras.Model, held_out: np.ndarray, sigma: float
) -> Gain:
    """Compares two networks by what a task compares with.

    Args:
        task: The task, which makes input and target of a noisy image.
        before: Takes images alone.
        after: The same.
        held_out: Crops that neither has learned from (crops, side, side, channels).
        sigma: The level of the noise, on the [0, 1] scale.
    """
    seed = keras.random.SeedGenerator(0)
    errors = []
    for crop in held_out:  # each is split in its own way
        split = task.split(keras.ops.convert_to_tensor(to_pixels(crop)[np.newaxis]), seed)
        arrays = [keras.ops.convert_to_numpy(each) for each in split]
        errors.append([_error(network, *arrays) for network in (before, after)])
    first, last = np.array(errors).T
    difference = first - last
    spread = difference.std(ddof=1) / math.sqrt(len(errors)) if len(errors) > 1 else math.inf
    return Gain(float(first.mean()), float(last.mean()), float(spread), sigma**2)


def denoise_crops(network: keras.Model, crops: np.ndarray) -> np.ndarray:
    """Denoises crops whole; float32 on the [0, 1] scale, not clipped."""
    # One at a time, as they are judged: TensorFlow compiles once for each size of a batch.
    return np.concatenate([network.predict_on_batch(to_pixels(crop[np.newaxis])) for crop in crops])


def _error(
    network: keras.Model, noisy: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> float:
    denoised = network.predict_on_batch(noisy)
    return float((weight * np.square(denoised - target)).mean() / weight.mean())
