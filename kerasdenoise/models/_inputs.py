"""What networks are given: the noisy image and, where they are told it, the level of its noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import keras

if TYPE_CHECKING:
    from kerasdenoise.models import Config

# A symbolic tensor. Keras defines no public type for it.
Tensor = Any


class Inputs(NamedTuple):
    """The inputs of a network.

    Attributes:
        all: What `keras.Model` takes as its inputs: one tensor, or both.
        noisy: Noisy images (batch, height, width, channels), nominally in [0, 1].
        noise_level: Standard deviation of the noise at each pixel (batch, height, width, 1), on
            the same scale, or None if the network is not told.
        seen: Both, one behind the other along the channels: what a convolution is applied to
            (Zhang et al., "FFDNet", IEEE TIP 2018).
    """

    all: Tensor
    noisy: Tensor
    noise_level: Tensor | None
    seen: Tensor


def make_inputs(config: Config) -> Inputs:
    """Makes the inputs of a network: `noisy` and, if `config.noise_level`, `noise_level`."""
    noisy = keras.Input((None, None, config.channels), name="noisy")
    if not config.noise_level:
        return Inputs(noisy, noisy, None, noisy)
    noise_level = keras.Input((None, None, 1), name="noise_level")
    seen = keras.layers.Concatenate(name="seen")([noisy, noise_level])
    return Inputs([noisy, noise_level], noisy, noise_level, seen)
