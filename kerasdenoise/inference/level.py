"""The level of the noise that a model is told, where one is."""

from __future__ import annotations

import numpy as np

from kerasdenoise.errors import UsageError
from kerasdenoise.images.measures import BLOCK, estimate_sigma
from kerasdenoise.inference.tiles import reflect
from kerasdenoise.zoo import ModelInfo


def check_sigma(sigma: float | None, info: ModelInfo) -> float | None:
    """Returns a level of the noise that the model can be told, on the [0, 1] scale.

    Raises:
        UsageError: The model goes by no level, or it is not in [0, 1].
    """
    if sigma is None:
        return None
    if not info.follows_level:
        raise UsageError(
            f"sigma {255 * sigma:g}/255",
            f"the model {info.name} finds the level of the noise by itself",
            "leave it out, or use strength for less denoising",
        )
    if not 0.0 <= sigma <= 1.0:  # also catches NaN
        raise UsageError(
            f"sigma {255 * sigma:g}/255", "not between 0 and 255", "give that of the noise"
        )
    return float(sigma)


def measure_sigma(pixels: np.ndarray) -> float:
    """Estimates the noise level of an image of any size; see `estimate_sigma`."""
    if min(pixels.shape[:2]) < BLOCK:  # too small to measure noise in: mirrored
        sides = pixels.shape[:2]
        pixels = pixels[np.ix_(*(reflect(range(max(side, BLOCK)), side) for side in sides))]
    return estimate_sigma(pixels)
