"""The twin of `kerasdenoise.models.strided_autoencoder`, made of the modules here."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from kerasdenoise.errors import ModelError
from kerasdenoise.reference.activations import ReLU, Sigmoid
from kerasdenoise.reference.convolution import Convolution, TransposedConvolution
from kerasdenoise.reference.module import Module
from kerasdenoise.reference.sequential import Sequential
from kerasdenoise.reference.windows import Windows


def build_strided_autoencoder(
    channels: int = 3,
    widths: Sequence[int] = (48, 96),
    *,
    padding: Literal["same"] | int = "same",
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Sequential:
    """Builds the autoencoder: noisy images to denoised ones in [0, 1].

    Dai and Liu's network for Noise2Noise, of their course project at EPFL (EE-559): a 3x3
    convolution of stride 2 for each width, as many transposed ones back, ReLU between them and
    a sigmoid at the end; 85,731 parameters. With "same" it is the Keras network, parameter by
    parameter; with a padding of 1 it is theirs.

    Args:
        channels: Channels of the images.
        widths: Channels of each level, from half resolution downwards.
        padding: As in `Windows`.
        seed: What the parameters are drawn from.
        dtype: Type of the parameters, float32 or float64.

    Returns:
        A module from (batch, height, width, channels) to the same shape; sides are multiples
        of `2 ** len(widths)`.

    Raises:
        ModelError: If a number is below 1 or there is no width.
    """
    if not widths or min(*widths, channels) < 1:
        raise ModelError(
            f"strided_autoencoder widths {tuple(widths)}, channels {channels}",
            "are empty or have a number below 1",
            "give a positive number for each level",
        )
    windows = Windows((3, 3), (2, 2), padding)
    rng = np.random.default_rng(seed)
    levels = [channels, *widths]
    modules: list[Module] = []
    for before, after in itertools.pairwise(levels):
        modules += [Convolution(before, after, windows, rng=rng, dtype=dtype), ReLU()]
    for before, after in itertools.pairwise(reversed(levels)):
        modules += [TransposedConvolution(before, after, windows, rng=rng, dtype=dtype), ReLU()]
    return Sequential([*modules[:-1], Sigmoid()])
