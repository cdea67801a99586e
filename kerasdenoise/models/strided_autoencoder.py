"""A small autoencoder of strided convolutions, made for Noise2Noise training."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models._convolutions import Window, convolve, find_receptive_field
from kerasdenoise.models._parts import Inputs
from kerasdenoise.runtime import keras_defaults


@dataclass(frozen=True)
class Config:
    """The autoencoder's shape.

    Attributes:
        channels: Channels of the image, 1 or 3.
        widths: Channels of each level, from half resolution downwards.
        noise_level: Whether the network is told the level of the noise, as a second input.
    """

    channels: int = 3
    widths: tuple[int, ...] = (48, 96)
    noise_level: bool = False

    def __post_init__(self) -> None:
        if not self.widths:
            raise ModelError(
                "strided_autoencoder widths", "are empty", "give one number for each level"
            )
        if min(*self.widths, self.channels) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return 2 ** len(self.widths)

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels."""
        levels = len(self.widths)
        windows = [Window(3, 2)] * levels + [Window(3, 2, transposed=True)] * levels
        return find_receptive_field(windows, self.stride)


PRESETS = {"tiny": Config(widths=(8, 8)), "paper": Config()}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image in [0, 1].

    Dai and Liu's network for Noise2Noise, written from scratch in their course project at
    EPFL (EE-559): two 3x3 convolutions of stride 2 and two transposed ones, ReLU between them
    and a sigmoid at the end; 85,731 weights. They pad one pixel before the image, Keras one
    after it: the network here is theirs, seen in a mirror.

    Args:
        config: The autoencoder's shape.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`.
    """
    inputs = Inputs(config)
    x = inputs.seen
    for level, width in enumerate(config.widths):
        x = convolve(x, width, 3, f"encoder_{level}", strides=2, activation="relu")
    for level, width in reversed(list(enumerate(config.widths[:-1], start=1))):
        x = convolve(x, width, 3, f"decoder_{level}", strides=2, transposed=True, activation="relu")
    x = convolve(x, config.channels, 3, "tail", strides=2, transposed=True, dtype="float32")
    denoised = keras.layers.Activation("sigmoid", name="denoised", dtype="float32")(x)
    return inputs.make_network(denoised, "strided_autoencoder")
