"""What a model gains on photos of which nobody has a clean version."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from kerasdenoise.noise.own import Reach
from kerasdenoise.pixels import to_pixels
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.tasks.task import Split

# A mean squared error that falls by less than the square of this share of the noise's level has not
# changed: it is that of rounding.
_LEAST = 0.02

# How many splits of crops are compared in all.
_SPLITS = 48

# So many standard errors are no chance.
_ERRORS = 3


@dataclass(frozen=True)
class Gain:
    """Squared errors from pixels that neither model has seen, with the noise of these pixels.

    The noise is the same for both and independent of what they give. So the difference is that of
    their squared errors from the clean photos, as far as the method's assumption holds. How large
    it is beside those errors cannot be told: they are far smaller than the noise.

    Attributes:
        before: Mean over crops, of the model to start from.
        after: The same of the adapted one.
        error: Standard error of the mean difference.
        sigma: The level of the noise, on the [0, 1] scale.
    """

    before: float
    after: float
    error: float
    sigma: float

    @property
    def is_better(self) -> bool:
        """Whether the error falls by more than chance and rounding make it."""
        fall = self.before - self.after
        return fall > max(_ERRORS * self.error, (_LEAST * self.sigma) ** 2)

    def describe(self) -> str:
        """Says it in a line of text."""
        before, after = (-10 * math.log10(each) for each in (self.before, self.after))
        error = 10 / math.log(10) * self.error / self.before
        return (
            f"held-out photos, their noise counted: {before:.3f} dB before, {after:.3f} dB after "
            f"({after - before:+.3f} ± {error:.3f})"
        )


def measure_gain(
    split: Callable[[Tensor, keras.random.SeedGenerator, Reach], Split],
    before: keras.Model,
    after: keras.Model,
    held_out: np.ndarray,
    sigma: float,
    reach: Reach = (0, 0),
    *,
    is_drawn: bool = True,
) -> Gain:
    """Compares two networks by noisy pixels that they have not seen.

    Args:
        split: Makes input and target of a crop, such as `hide_pixels`.
        before: Takes images alone.
        after: The same.
        held_out: Crops that neither has learned from (crops, side, side, channels).
        sigma: The level of the noise, on the [0, 1] scale.
        reach: Over how many pixels noise is shared.
        is_drawn: Whether `split` makes something else each time.
    """
    seed = keras.random.SeedGenerator(0)
    # Each crop is split in several ways.
    splits = max(1, _SPLITS // len(held_out)) if is_drawn else 1
    errors = np.zeros((len(held_out), 2))
    for row, crop in zip(errors, held_out, strict=True):
        for _ in range(splits):
            example = split(keras.ops.convert_to_tensor(to_pixels(crop)[np.newaxis]), seed, reach)
            arrays = [keras.ops.convert_to_numpy(each) for each in example]
            row += [_error(network, *arrays) / splits for network in (before, after)]
    first, last = errors.T
    difference = first - last
    spread = difference.std(ddof=1) / math.sqrt(len(errors)) if len(errors) > 1 else math.inf
    return Gain(float(first.mean()), float(last.mean()), float(spread), sigma)


def denoise_crops(network: keras.Model, crops: np.ndarray) -> np.ndarray:
    """Denoises crops whole; float32 on the [0, 1] scale, not clipped."""
    # One at a time, as they are judged: TensorFlow compiles once for each size of a batch.
    return np.concatenate([network.predict_on_batch(to_pixels(crop[np.newaxis])) for crop in crops])


def _error(
    network: keras.Model, noisy: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> float:
    denoised = network.predict_on_batch(noisy)
    return float((weight * np.square(denoised - target)).mean() / weight.mean())
