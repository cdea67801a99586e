"""An autoencoder whose code is a small picture: a quarter of the height and width."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models._convolutions import Window, find_receptive_field
from kerasdenoise.models._parts import DECODER, ENCODER, Inputs
from kerasdenoise.models._primitives import Primitives
from kerasdenoise.models.unet import residual_block
from kerasdenoise.runtime import keras_defaults

_MAKE = Primitives()


@dataclass(frozen=True)
class Config:
    """The autoencoder's shape.

    Attributes:
        channels: Channels of the image, 1 or 3.
        widths: Channels at half and at a quarter of the resolution.
        blocks: Residual blocks at each of them, on the way down and on the way up.
        code: Channels of the code.
        noise_level: Whether the network is told the level of the noise, as a second input.
    """

    channels: int = 3
    widths: tuple[int, int] = (32, 64)
    blocks: int = 2
    code: int = 8
    noise_level: bool = False

    def __post_init__(self) -> None:
        if len(self.widths) != 2:
            raise ModelError(
                f"autoencoder widths {self.widths}", "are not two", "give two, such as 32 and 64"
            )
        if min(*self.widths, self.blocks, self.code, self.channels) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return 4

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels."""
        return find_receptive_field([*self.encoding, *self.decoding], self.stride)

    @property
    def encoding(self) -> list[Window]:
        """How an input pixel reaches the code."""
        block = [Window(3)] * 2 * self.blocks
        return [Window(2, 2), Window(3), *block, Window(2, 2), *block, Window(3)]

    @property
    def decoding(self) -> list[Window]:
        """How the code reaches an output pixel."""
        block, larger = [Window(3)] * 2 * self.blocks, Window(2, 2, transposed=True)
        return [Window(3), *block, larger, *block, Window(3), larger]


PRESETS = {
    "tiny": Config(widths=(6, 8), blocks=1, code=4),
    "small": Config(),
}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: image to image, not clipped, through a code.

    For latent diffusion (Rombach et al., "High-resolution image synthesis with latent diffusion
    models", CVPR 2022), which needs a code that pictures can be read from again: 8 numbers for
    4x4 pixels of 48, where the Poisson autoencoder has 3. Theirs is trained with a discriminator
    and holds its code near a normal distribution; here the code is scaled to mean 0 and
    variance 1, channel by channel, and nothing more.

    Args:
        config: The autoencoder's shape.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`. Its parts are `encoder` and `decoder`.
    """
    inputs = Inputs(config)
    encoder = _build_encoder(config, inputs.seen.shape[-1])
    return inputs.make_network(_build_decoder(config)(encoder(inputs.seen)), "autoencoder")


def _build_encoder(config: Config, channels: int) -> keras.Model:
    half, quarter = config.widths
    seen = keras.Input((None, None, channels), name="image")
    x = _MAKE.gather(seen, 2, half, 3, "analysis_head")
    for block in range(config.blocks):
        x = residual_block(x, half, f"analysis_half_{block}", _MAKE)
    x = _MAKE.convolve(x, quarter, 2, "analysis_down", strides=2)
    for block in range(config.blocks):
        x = residual_block(x, quarter, f"analysis_quarter_{block}", _MAKE)
    x = _MAKE.convolve(x, config.code, 3, "analysis_code", dtype="float32")
    x = keras.layers.BatchNormalization(
        momentum=0.99, epsilon=1e-5, center=False, scale=False, dtype="float32", name="code_scale"
    )(x)
    return keras.Model(seen, x, name=ENCODER)


def _build_decoder(config: Config) -> keras.Model:
    half, quarter = config.widths
    code = keras.Input((None, None, config.code), name="code")
    x = _MAKE.convolve(code, quarter, 3, "synthesis_head", kernel_initializer="glorot_uniform")
    for block in range(config.blocks):
        x = residual_block(x, quarter, f"synthesis_quarter_{block}", _MAKE)
    x = _MAKE.spread(x, 2, half, 1, "synthesis_up")
    for block in range(config.blocks):
        x = residual_block(x, half, f"synthesis_half_{block}", _MAKE)
    x = _MAKE.spread(x, 2, config.channels, 3, "synthesis_tail", dtype="float32")
    return keras.Model(code, x, name=DECODER)
