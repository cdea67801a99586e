"""Blocks that the U-Net's residual block is compared with; each takes what that takes."""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras

from kerasdenoise.layers import LambdaLayer
from kerasdenoise.models._primitives import Primitives
from kerasdenoise.models.unet import near_zero, residual_block
from kerasdenoise.tensors import Tensor

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
        return residual_block(x, width, name, Primitives())
    # 16 keys, 4 groups of width / 4 values and a window of 9 x 9: 1296 products a pixel and
    # channel for the places, against the convolutions' 2 * 9 * width.
    layer = LambdaLayer(
        width, key_depth=16, heads=4, intra_depth=4, window=9, name=f"{name}_lambda"
    )
    return keras.layers.Add(name=f"{name}_add")([x, layer(x)])


def leaky_block(x: Tensor, width: int, name: str) -> Tensor:
    """A residual block whose units are never silent."""
    return _activate_between(x, width, name, keras.layers.LeakyReLU(0.1, name=f"{name}_leaky"))


def sorted_block(x: Tensor, width: int, name: str) -> Tensor:
    """A residual block with pairs of channels sorted in place of ReLU, which silences none."""

    def sort(branch: Tensor) -> Tensor:
        first, second = keras.ops.split(branch, 2, axis=-1)
        return keras.layers.Concatenate(name=f"{name}_sort")(
            [keras.ops.maximum(first, second), keras.ops.minimum(first, second)]
        )

    return _activate_between(x, width, name, sort)


def _activate_between(
    x: Tensor, width: int, name: str, activate: Callable[[Tensor], Tensor]
) -> Tensor:
    """Adds two convolutions of what is given to it, with an activation between them."""
    branch = keras.layers.Conv2D(
        width, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_in"
    )(x)
    branch = keras.layers.Conv2D(
        width, 3, padding="same", use_bias=False, kernel_initializer=near_zero(), name=f"{name}_out"
    )(activate(branch))
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def mixer_block(x: Tensor, width: int, name: str) -> Tensor:
    """Mixes places and channels by turns, as NAFNet's blocks, but with ReLU alone.

    Without normalization, bias and products, scaling the input scales the output. Twice, it
    computes and reaches as much as a residual block.
    """
    for number in range(2):
        for part, depthwise in (("mix", True), ("feed", False)):
            branch = _widen(x, width, f"{name}_{number}_{part}", depthwise=depthwise)
            branch = keras.layers.ReLU(name=f"{name}_{number}_{part}_relu")(branch)
            x = _add(x, branch, width, f"{name}_{number}_{part}")
    return x


def gated_block(x: Tensor, width: int, name: str) -> Tensor:
    """NAFNet's blocks without normalization and bias, and with a gate that keeps the scale."""
    for number in range(3):
        for part, depthwise in (("mix", True), ("feed", False)):
            branch = _widen(x, width, f"{name}_{number}_{part}", depthwise=depthwise)
            first, second = keras.ops.split(branch, 2, axis=-1)
            power = keras.ops.mean(keras.ops.square(second), axis=-1, keepdims=True)
            # The small number is for places where there is nothing at all.
            branch = first * second * keras.ops.rsqrt(power + 1e-6)
            x = _add(x, branch, width, f"{name}_{number}_{part}")
    return x


def _widen(x: Tensor, width: int, name: str, *, depthwise: bool) -> Tensor:
    x = keras.layers.Conv2D(
        2 * width, 1, use_bias=False, kernel_initializer="he_normal", name=f"{name}_in"
    )(x)
    if not depthwise:
        return x
    return keras.layers.DepthwiseConv2D(
        3, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)


def _add(x: Tensor, branch: Tensor, width: int, name: str) -> Tensor:
    branch = keras.layers.Conv2D(
        width, 1, use_bias=False, kernel_initializer=near_zero(), name=f"{name}_out"
    )(branch)
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def make_block(kind: str, levels: int) -> Block:
    """Returns the block of that name for a U-Net of so many levels."""
    blocks: dict[str, Block] = {
        "residual": functools.partial(residual_block, make=Primitives()),
        "naf": naf_block,
        "leaky": leaky_block,
        "mixer": mixer_block,
        "gated": gated_block,
        "sorted": sorted_block,
        "lambda": functools.partial(lambda_block, lowest=levels - 1),
    }
    return blocks[kind]
