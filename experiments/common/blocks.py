"""Blocks that the U-Net's residual block is compared with; each takes what that takes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras

from kerasdenoise.layers import LambdaLayer
from kerasdenoise.models.unet import near_zero, residual_block

# A symbolic tensor. Keras defines no public type for it.
Tensor = Any
Block = Callable[[Tensor, int, str], Tensor]


def naf_block(x: Tensor, width: int, name: str) -> Tensor:
    """Three small blocks of NAFNet, which together compute as much as a residual block.

    Chen et al., "Simple baselines for image restoration", ECCV 2022, without the channel
    attention, for which all pixels of a photo would have to be seen at once.
    """
    for number in range(3):
        x = _naf_part(x, width, f"{name}_{number}_mix", depthwise=True)
        x = _naf_part(x, width, f"{name}_{number}_feed", depthwise=False)
    return x


def _naf_part(x: Tensor, width: int, name: str, *, depthwise: bool) -> Tensor:
    branch = keras.layers.LayerNormalization(name=f"{name}_norm")(x)
    branch = keras.layers.Conv2D(2 * width, 1, name=f"{name}_in")(branch)
    if depthwise:
        branch = keras.layers.DepthwiseConv2D(3, padding="same", name=f"{name}_depthwise")(branch)
    first, second = keras.ops.split(branch, 2, axis=-1)
    # Started at zero, as NAFNet's scales are.
    branch = keras.layers.Conv2D(width, 1, kernel_initializer="zeros", name=f"{name}_out")(
        first * second
    )
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def lambda_block(x: Tensor, width: int, name: str, *, lowest: int) -> Tensor:
    """A residual block or, at the lowest level, a lambda layer of about the same arithmetic.

    Args:
        x: What it is applied to.
        width: Channels.
        name: Name of the block.
        lowest: The number of the lowest level.
    """
    if not name.startswith(f"encoder_{lowest}_"):
        return residual_block(x, width, name)
    # 16 keys, 4 groups of width / 4 values and a window of 9 x 9: 1296 products a pixel and
    # channel for the places, against the convolutions' 2 * 9 * width.
    layer = LambdaLayer(
        width, key_depth=16, heads=4, intra_depth=4, window=9, name=f"{name}_lambda"
    )
    return keras.layers.Add(name=f"{name}_add")([x, layer(x)])


def leaky_block(x: Tensor, width: int, name: str) -> Tensor:
    """A residual block whose units are never silent."""
    branch = keras.layers.Conv2D(
        width, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_in"
    )(x)
    branch = keras.layers.LeakyReLU(0.1, name=f"{name}_leaky")(branch)
    branch = keras.layers.Conv2D(
        width, 3, padding="same", use_bias=False, kernel_initializer=near_zero(), name=f"{name}_out"
    )(branch)
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def mixer_block(x: Tensor, width: int, name: str, *, activation: str, kernel: int = 3) -> Tensor:
    """Mixes places and channels by turns, twice, without normalization or bias.

    As NAFNet's blocks, but with an activation that keeps the scale, so that scaling the input
    scales the output. Computes and reaches as much as a residual block.
    """
    for number in range(2):
        for part, depthwise in (("mix", True), ("feed", False)):
            branch = _pointwise(2 * width, f"{name}_{number}_{part}_in")(x)
            if depthwise:
                branch = keras.layers.DepthwiseConv2D(
                    kernel, padding="same", use_bias=False, name=f"{name}_{number}_depthwise"
                )(branch)
            branch = ACTIVATIONS[activation](branch, f"{name}_{number}_{part}_{activation}")
            branch = _pointwise(width, f"{name}_{number}_{part}_out", near_zero())(branch)
            x = keras.layers.Add(name=f"{name}_{number}_{part}_add")([x, branch])
    return x


def gated_block(x: Tensor, width: int, name: str) -> Tensor:
    """NAFNet's blocks without normalization or bias, and with a gate that keeps the scale."""
    for number in range(3):
        for part, depthwise in (("mix", True), ("feed", False)):
            branch = _pointwise(2 * width, f"{name}_{number}_{part}_in")(x)
            if depthwise:
                branch = keras.layers.DepthwiseConv2D(
                    3, padding="same", use_bias=False, name=f"{name}_{number}_depthwise"
                )(branch)
            first, second = keras.ops.split(branch, 2, axis=-1)
            power = keras.ops.mean(keras.ops.square(second), axis=-1, keepdims=True)
            branch = first * second * keras.ops.rsqrt(power + 1e-6)
            branch = _pointwise(width, f"{name}_{number}_{part}_out", near_zero())(branch)
            x = keras.layers.Add(name=f"{name}_{number}_{part}_add")([x, branch])
    return x


def sorted_block(x: Tensor, width: int, name: str) -> Tensor:
    """A residual block whose ReLU is a sort of pairs of channels, which nothing silences."""
    branch = keras.layers.Conv2D(
        width, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_in"
    )(x)
    branch = _sort_pairs(branch, f"{name}_sort")
    branch = keras.layers.Conv2D(
        width, 3, padding="same", use_bias=False, kernel_initializer=near_zero(), name=f"{name}_out"
    )(branch)
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def _pointwise(width: int, name: str, start: Any = "he_normal") -> keras.layers.Conv2D:
    return keras.layers.Conv2D(width, 1, use_bias=False, kernel_initializer=start, name=name)


def _relu(x: Tensor, name: str) -> Tensor:
    return keras.layers.ReLU(name=name)(x)


def _sort_pairs(x: Tensor, name: str) -> Tensor:
    first, second = keras.ops.split(x, 2, axis=-1)
    parts = [keras.ops.maximum(first, second), keras.ops.minimum(first, second)]
    return keras.layers.Concatenate(name=name)(parts)


ACTIVATIONS: dict[str, Callable[[Tensor, str], Tensor]] = {"relu": _relu, "sort": _sort_pairs}


def make_block(kind: str, levels: int) -> Block:
    """Returns the block of that name for a U-Net of so many levels."""
    blocks: dict[str, Block] = {
        "residual": residual_block,
        "naf": naf_block,
        "leaky": leaky_block,
        "mixer": functools.partial(mixer_block, activation="relu"),
        "mixer_sort": functools.partial(mixer_block, activation="sort"),
        "mixer_wide": functools.partial(mixer_block, activation="relu", kernel=5),
        "gated": gated_block,
        "sorted": sorted_block,
        "lambda": functools.partial(lambda_block, lowest=levels - 1),
    }
    return blocks[kind]
