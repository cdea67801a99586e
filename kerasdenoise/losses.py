"""Losses between images, by the names that recipes use.

Each is a function of clean and denoised images that returns one number for each image. Pass it to
Keras directly, as in `model.compile(loss=losses.charbonnier)`. The losses are registered by name,
so Keras finds them when it loads a model's file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from kerasdenoise.errors import RecipeError

__all__ = ["Loss", "balanced_bce", "bce", "charbonnier", "get_loss", "l1", "l2", "psnr"]

# (target, denoised) -> one number per image.
Loss = Callable[[Any, Any], Any]

_CHARBONNIER_EPSILON = 1e-3
_BCE_EPSILON = 1e-6
_PSNR_EPSILON = 1e-6
_LOG_10 = 2.302585093


@keras.saving.register_keras_serializable("kerasdenoise")
def l1(target: Any, denoised: Any) -> Any:
    """Mean absolute difference of each image (batch, height, width, channels)."""
    return keras.ops.mean(keras.ops.abs(target - denoised), axis=(1, 2, 3))


@keras.saving.register_keras_serializable("kerasdenoise")
def l2(target: Any, denoised: Any) -> Any:
    """Mean squared difference of each image (batch, height, width, channels)."""
    return keras.ops.mean(keras.ops.square(target - denoised), axis=(1, 2, 3))


@keras.saving.register_keras_serializable("kerasdenoise")
def charbonnier(target: Any, denoised: Any) -> Any:
    """Mean of `sqrt(d * d + 1e-6)` of each image (batch, height, width, channels).

    `d` is the difference. Like `l1`, but smooth within 1e-3 of zero (Charbonnier et al., "Two
    deterministic half-quadratic regularization algorithms for computed imaging", ICIP 1994).
    """
    squared = keras.ops.square(target - denoised)
    return keras.ops.mean(keras.ops.sqrt(squared + _CHARBONNIER_EPSILON**2), axis=(1, 2, 3))


@keras.saving.register_keras_serializable("kerasdenoise")
def psnr(target: Any, denoised: Any) -> Any:
    """Minus the PSNR in dB, divided by 100, of each image (batch, height, width, channels).

    A gain of one dB counts the same whether an image has little noise or much (Chen et al.,
    "HINet", CVPR Workshops 2021). Within 1e-3 of the target, all results are equally good.
    """
    error = l2(target, denoised) + _PSNR_EPSILON
    return keras.ops.log(error) * (0.1 / _LOG_10)


@keras.saving.register_keras_serializable("kerasdenoise")
def bce(target: Any, denoised: Any) -> Any:
    """Mean binary cross-entropy of each image (batch, height, width, channels).

    `-t * log(d) - (1 - t) * log(1 - d)` for each value on its own. The denoised image must be
    in (0, 1), like the output of a sigmoid. Values within 1e-6 of 0 or 1, or beyond them, are
    clipped to that distance and have no gradient. The loss of equal images is the target's
    entropy, not zero.
    """
    return keras.ops.mean(_cross_entropy(target, denoised), axis=(1, 2, 3))


@keras.saving.register_keras_serializable("kerasdenoise")
def balanced_bce(target: Any, denoised: Any) -> Any:
    """Binary cross-entropy of maps, in which ones and zeros count equally, however rare.

    The mean of two means of `bce` over all maps of the batch: over the ones, and over the zeros.
    So a map that is right everywhere except at the borders does not get a low loss. A batch
    without ones, or without zeros, has only the other half.

    Args:
        target: Maps of 0 and 1 (batch, height, width, channels).
        denoised: Probabilities of 1, of the same shape.

    Returns:
        One number for each map; their mean is the loss.
    """
    cost = _cross_entropy(target, denoised)
    cost_of_maps = 0.0
    for part in (target, 1.0 - target):
        share = keras.ops.maximum(keras.ops.mean(part), _BCE_EPSILON)
        cost_of_maps += keras.ops.mean(part * cost, axis=(1, 2, 3)) / (2.0 * share)
    return cost_of_maps


def _cross_entropy(target: Any, denoised: Any) -> Any:
    ops = keras.ops
    denoised = ops.clip(denoised, _BCE_EPSILON, 1.0 - _BCE_EPSILON)
    return -target * ops.log(denoised) - (1.0 - target) * ops.log(1.0 - denoised)


LOSSES: dict[str, Loss] = {
    "l1": l1,
    "l2": l2,
    "charbonnier": charbonnier,
    "psnr": psnr,
    "bce": bce,
    "balanced_bce": balanced_bce,
}

# Those whose least value over many targets, such as the pixels of an image, is at their mean, which
# for `balanced_bce` counts ones and zeros by their number. That of the others is at the median.
MEAN_SEEKING = frozenset({"l2", "psnr", "bce", "balanced_bce"})


def get_loss(name: str) -> Loss:
    """Looks up a loss.

    Raises:
        RecipeError: If there is none of that name.
    """
    if name not in LOSSES:
        raise RecipeError(f"loss {name!r}", "is unknown", f"known: {', '.join(LOSSES)}")
    return LOSSES[name]
