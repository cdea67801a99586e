"""DnCNN: a plain stack of convolutions with batch normalization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models._convolutions import check_activation
from kerasdenoise.models._parts import Inputs
from kerasdenoise.runtime import keras_defaults


@dataclass(frozen=True)
class Config:
    """The stack's shape.

    Attributes:
        channels: Channels of the image, 1 or 3.
        depth: Convolutions, the first and the last included.
        width: Channels between them.
        activation: Between the convolutions, by its name in Keras.
        residual: Whether the stack estimates the noise, which is then subtracted, or the
            image itself.
        noise_level: Whether the network is told the level of the noise, as a second input.
        normalization: Whether convolutions are followed by batch normalization.
    """

    channels: int = 3
    depth: int = 17
    width: int = 64
    activation: str = "relu"
    residual: bool = True
    noise_level: bool = False
    normalization: bool = True

    def __post_init__(self) -> None:
        if self.depth < 2:
            raise ModelError(f"dncnn depth {self.depth}", "is below 2", "give 2 or more")
        if min(self.width, self.channels) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")
        check_activation("dncnn", self.activation)

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return 1

    @property
    def radius(self) -> int:
        """How far an input pixel reaches: one pixel with each 3x3 convolution."""
        return self.depth


PRESETS = {
    "tiny": Config(depth=4, width=8),
    "paper": Config(),
    "direct": Config(residual=False),
}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image, neither clipped.

    Zhang et al., "Beyond a Gaussian denoiser: residual learning of deep CNN for image
    denoising", IEEE TIP 2017. The first and the last convolution have no bias here; with the
    paper's two the count is 558,403, not 558,336. The preset `direct` has no shortcut: so was
    the network trained that LambdaNet was compared with.

    Args:
        config: The stack's shape.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32,
        of any size.
    """
    inputs = Inputs(config)
    x = _conv(config.width, "head", activation=config.activation)(inputs.seen)
    for number in range(1, config.depth - 1):
        x = _conv(config.width, f"body_{number}_conv")(x)
        if config.normalization:
            x = keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, name=f"body_{number}_normalization"
            )(x)
        x = keras.layers.Activation(config.activation, name=f"body_{number}_activation")(x)
    if not config.residual:
        denoised = _conv(config.channels, "tail", dtype="float32")(x)
    else:
        noise = _conv(config.channels, "tail")(x)
        denoised = keras.layers.Subtract(name="denoised", dtype="float32")([inputs.noisy, noise])
    return inputs.make_network(denoised, "dncnn")


def _conv(filters: int, name: str, **options: Any) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
        **options,
    )
