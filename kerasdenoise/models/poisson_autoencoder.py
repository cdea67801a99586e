"""An autoencoder with a tiny code, made for faces with Poisson noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models._convolutions import Window, convolve, find_receptive_field
from kerasdenoise.models._parts import DECODER, ENCODER, Inputs
from kerasdenoise.runtime import keras_defaults

# Kernel and stride of the convolution that makes the code of a quarter-size image.
_CODE_WINDOWS = {"3x3": (12, 10), "32x32": (3, 1)}


@dataclass(frozen=True)
class Config:
    """The autoencoder's shape.

    Attributes:
        channels: Channels of the image, 1 or 3.
        latent: Size of the code, of the paper's 128x128 images: "3x3" is what the paper says,
            "32x32" leaves out the last, tenfold reduction.
        widths: Channels at full and at half resolution on the way down; up again they are
            the same and, at full resolution, half of the first.
        code: Channels of the code.
        output: The last activation, "linear" or "sigmoid".
        noise_level: Whether the network is told the level of the noise, as a second input.
    """

    channels: int = 3
    latent: Literal["3x3", "32x32"] = "32x32"
    widths: tuple[int, int] = (32, 64)
    code: int = 3
    output: Literal["linear", "sigmoid"] = "linear"
    noise_level: bool = False

    def __post_init__(self) -> None:
        if self.latent not in _CODE_WINDOWS:
            raise ModelError(
                f"poisson_autoencoder latent {self.latent!r}",
                "is unknown",
                f"known: {', '.join(_CODE_WINDOWS)}",
            )
        if self.output not in ("linear", "sigmoid"):
            raise ModelError(
                f"poisson_autoencoder output {self.output!r}",
                "is unknown",
                "known: linear, sigmoid",
            )
        if len(self.widths) != 2 or self.widths[0] % 2 != 0:
            raise ModelError(
                f"poisson_autoencoder widths {self.widths}",
                "are not two numbers of which the first is even",
                "give two, such as 32 and 64",
            )
        if min(*self.widths, self.code, self.channels) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return 4 * _CODE_WINDOWS[self.latent][1]

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels."""
        return find_receptive_field([*self.encoding, *self.decoding], self.stride)

    @property
    def encoding(self) -> list[Window]:
        """How an input pixel reaches the code."""
        return [*[Window(3), Window(2, 2)] * 2, Window(*_CODE_WINDOWS[self.latent])]

    @property
    def decoding(self) -> list[Window]:
        """How the code reaches an output pixel."""
        code = Window(*_CODE_WINDOWS[self.latent], transposed=True)
        return [code, *[Window(3, 2, transposed=True)] * 2, Window(3)]


PRESETS = {
    "tiny": Config(widths=(8, 8)),
    "paper": Config(latent="3x3"),
    "32x32": Config(),
}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image, not clipped.

    The autoencoder of a student paper on FFHQ faces of 128x128 pixels with Poisson noise:
    convolution, ReLU and 2x2 pooling twice, then a code of 3x3x3 numbers; back by transposed
    convolutions with sigmoid, ReLU, ReLU. With 27 numbers for a face it cannot keep detail;
    the paper's 35 dB are out of its reach. The preset `32x32` has a code that can.

    The paper gives neither channels nor kernels. Here are eight layers down and seven up, as
    it counts them, with 98,278 weights (46,438 for `32x32`). 128 pixels are reduced to 3 by a
    12x12 kernel of stride 10 on the quarter-size image, without padding; with it, as here, any
    multiple of 40 pixels can be given, by the same weights, and the image with a code of
    3x3x3 is one of 120x120. The last, linear convolution, which makes the channels of the
    image of those of the decoder, may be followed by a sigmoid.

    Args:
        config: The autoencoder's shape.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`. Its parts are `encoder` and `decoder`.
    """
    inputs = Inputs(config)
    encoder = _build_encoder(config, inputs.seen.shape[-1])
    return inputs.make_network(_build_decoder(config)(encoder(inputs.seen)), "poisson_autoencoder")


def _build_encoder(config: Config, channels: int) -> keras.Model:
    size, stride = _CODE_WINDOWS[config.latent]
    full, half = config.widths
    seen = keras.Input((None, None, channels), name="image")
    x = convolve(seen, full, 3, "encoder_0", activation="relu")
    x = keras.layers.MaxPooling2D(name="pool_0")(x)
    x = convolve(x, half, 3, "encoder_1", activation="relu")
    x = keras.layers.MaxPooling2D(name="pool_1")(x)
    x = convolve(x, config.code, size, "code", strides=stride, activation="relu")
    return keras.Model(seen, x, name=ENCODER)


def _build_decoder(config: Config) -> keras.Model:
    size, stride = _CODE_WINDOWS[config.latent]
    full, half = config.widths
    code = x = keras.Input((None, None, config.code), name="code")
    x = convolve(x, half, size, "decoder_2", strides=stride, transposed=True, activation="sigmoid")
    x = convolve(x, full, 3, "decoder_1", strides=2, transposed=True, activation="relu")
    x = convolve(x, full // 2, 3, "decoder_0", strides=2, transposed=True, activation="relu")
    x = convolve(x, config.channels, 3, "tail", dtype="float32")
    denoised = keras.layers.Activation(config.output, name="denoised", dtype="float32")(x)
    return keras.Model(code, denoised, name=DECODER)
