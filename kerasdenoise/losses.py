"""Losses between images, by the names that recipes use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from kerasdenoise.errors import RecipeError

# (target, denoised) -> one number per image.
Loss = Callable[[Any, Any], Any]

_CHARBONNIER_EPSILON = 1e-3
_BCE_EPSILON = 1e-6


def l1(target: Any, denoised: Any) -> Any:
    """Mean absolute difference of each image (batch, height, width, channels)."""
    return keras.ops.mean(keras.ops.abs(target - denoised), axis=(1, 2, 3))


def l2(target: Any, denoised: Any) -> Any:
    """Mean squared difference of each image (batch, height, width, channels)."""
    return keras.ops.mean(keras.ops.square(target - denoised), axis=(1, 2, 3))


def charbonnier(target: Any, denoised: Any) -> Any:
    """Mean of `sqrt(d * d + 1e-6)` of each image (batch, height, width, channels).

    `d` is the difference. Like `l1`, but smooth within 1e-3 of zero (Charbonnier et al., "Two
    deterministic half-quadratic regularization algorithms for computed imaging", ICIP 1994).
    """
    squared = keras.ops.square(target - denoised)
    return keras.ops.mean(keras.ops.sqrt(squared + _CHARBONNIER_EPSILON**2), axis=(1, 2, 3))


def bce(target: Any, denoised: Any) -> Any:
    """Mean binary cross-entropy of each image (batch, height, width, channels).

    `-t * log(d) - (1 - t) * log(1 - d)` for each value on its own. The denoised image has to
    be in (0, 1), as a sigmoid leaves it: values nearer than 1e-6 to its ends, or beyond them,
    are moved there, and have no gradient. Equal images cost the target's entropy, not zero.
    """
    ops = keras.ops
    denoised = ops.clip(denoised, _BCE_EPSILON, 1.0 - _BCE_EPSILON)
    cost = target * ops.log(denoised) + (1.0 - target) * ops.log(1.0 - denoised)
    return -ops.mean(cost, axis=(1, 2, 3))


LOSSES: dict[str, Loss] = {"l1": l1, "l2": l2, "charbonnier": charbonnier, "bce": bce}

# Those whose least value over many targets is at the targets' mean.
MEAN_SEEKING = frozenset({"l2", "bce"})


def get_loss(name: str) -> Loss:
    """Looks up a loss.

    Raises:
        RecipeError: If there is none of that name.
    """
    if name not in LOSSES:
        raise RecipeError(f"loss {name!r}", "is unknown", f"known: {', '.join(LOSSES)}")
    return LOSSES[name]
