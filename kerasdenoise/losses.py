"""Losses between images, by the names that recipes use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from kerasdenoise.errors import RecipeError

# (target, denoised) -> one number per image.
Loss = Callable[[Any, Any], Any]


def l1(target: Any, denoised: Any) -> Any:
    """Mean absolute difference of each image (batch, height, width, channels)."""
    return keras.ops.mean(keras.ops.abs(target - denoised), axis=(1, 2, 3))


def l2(target: Any, denoised: Any) -> Any:
    """Mean squared difference of each image (batch, height, width, channels)."""
    return keras.ops.mean(keras.ops.square(target - denoised), axis=(1, 2, 3))


LOSSES: dict[str, Loss] = {"l1": l1, "l2": l2}


def get_loss(name: str) -> Loss:
    """Looks up a loss.

    Raises:
        RecipeError: If there is none of that name.
    """
    if name not in LOSSES:
        raise RecipeError(f"loss {name!r}", "is unknown", f"known: {', '.join(LOSSES)}")
    return LOSSES[name]
