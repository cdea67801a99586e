"""A convolutional denoising autoencoder, without shortcuts."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models._convolutions import (
    Window,
    check_activation,
    convolve,
    find_receptive_field,
)
from kerasdenoise.models._parts import Inputs
from kerasdenoise.runtime import keras_defaults


@dataclass(frozen=True)
class Config:
    """The autoencoder's shape.

    Attributes:
        channels: Channels of the image, 1 or 3.
        widths: Channels of each level, from half resolution downwards.
        activation: Between the convolutions, by its name in Keras.
        noise_level: Whether the network is told the level of the noise, as a second input.
    """

    channels: int = 3
    widths: tuple[int, ...] = (12, 24, 48)
    activation: str = "relu"
    noise_level: bool = False

    def __post_init__(self) -> None:
        if not self.widths:
            raise ModelError(
                "denoising_autoencoder widths", "are empty", "give one number for each level"
            )
        if min(*self.widths, self.channels) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")
        check_activation("denoising_autoencoder", self.activation)

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return 2 ** len(self.widths)

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels."""
        levels = len(self.widths)
        windows = [Window(4, 2)] * levels + [Window(4, 2, transposed=True)] * levels
        return find_receptive_field(windows, self.stride)


PRESETS = {"tiny": Config(widths=(8, 8)), "paper": Config()}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image in [0, 1].

    The autoencoder that LambdaNet was compared with: three 4x4 convolutions of stride 2 and
    three transposed ones, ReLU between them and a sigmoid at the end; 47,355 weights. It is
    the same here, padding included. The comparison had images of 32x32 pixels, a code of 4x4;
    any multiple of 8 is as good.

    Args:
        config: The autoencoder's shape.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`.
    """
    inputs = Inputs(config)
    x = inputs.seen
    hidden = {"strides": 2, "activation": config.activation}
    for level, width in enumerate(config.widths):
        x = convolve(x, width, 4, f"encoder_{level}", **hidden)
    for level, width in reversed(list(enumerate(config.widths[:-1], start=1))):
        x = convolve(x, width, 4, f"decoder_{level}", transposed=True, **hidden)
    x = convolve(x, config.channels, 4, "tail", strides=2, transposed=True, dtype="float32")
    denoised = keras.layers.Activation("sigmoid", name="denoised", dtype="float32")(x)
    return inputs.make_network(denoised, "denoising_autoencoder")
