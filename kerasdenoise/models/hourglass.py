"""An hourglass of residual blocks, in the five variants that were compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models._convolutions import Window, convolve, find_receptive_field
from kerasdenoise.models._parts import Inputs
from kerasdenoise.runtime import keras_defaults


@dataclass(frozen=True)
class _Variant:
    """What the variants differ in.

    Attributes:
        levels: Blocks on the way down, and as many on the way up.
        kernel: Size of the blocks' kernels.
        output: The last activation.
        dense: Whether a linear layer stands in the bottleneck.
    """

    levels: int = 1
    kernel: int = 3
    output: str = "sigmoid"
    dense: bool = False


_VARIANTS = {
    "A": _Variant(levels=2, output="relu"),
    "B": _Variant(levels=2),
    "C": _Variant(),
    "D": _Variant(kernel=5),
    "E": _Variant(kernel=5, dense=True),
}
# Cells of the bottleneck that variant E's linear layer is applied to: 32x32 pixels, the size
# of the images that it was made for.
_CELL = 16


@dataclass(frozen=True)
class Config:
    """The hourglass's shape.

    Attributes:
        channels: Channels of the image, 1 or 3.
        variant: A, six convolutions and ReLU at the end; B, sigmoid at the end; C, four
            convolutions; D, 5x5 kernels in the middle two (the one the authors kept); E, and
            a linear layer in the bottleneck.
        width: Channels between the layers.
        skip: The shortcut of a block that enlarges. `paper` is a 1x1 transposed convolution,
            which reaches only every second pixel in rows and columns and leaves its bias
            elsewhere; `smooth` gives all pixels of a 2x2 square the same, by as many weights.
        dropout: Share of values dropped in training after each ReLU and in the bottleneck:
            0.2 in the authors' code, none in their report.
        rank: Numbers to which variant E's linear layer reduces a cell; otherwise unused.
        noise_level: Whether the network is told the level of the noise, as a second input.
    """

    channels: int = 3
    variant: Literal["A", "B", "C", "D", "E"] = "D"
    width: int = 32
    skip: Literal["paper", "smooth"] = "paper"
    dropout: float = 0.0
    rank: int = 128
    noise_level: bool = False

    def __post_init__(self) -> None:
        if self.variant not in _VARIANTS:
            raise ModelError(
                f"hourglass variant {self.variant!r}",
                "is unknown",
                f"known: {', '.join(_VARIANTS)}",
            )
        if self.skip not in ("paper", "smooth"):
            raise ModelError(f"hourglass skip {self.skip!r}", "is unknown", "known: paper, smooth")
        if not 0 <= self.dropout < 1:
            raise ModelError(
                f"hourglass dropout {self.dropout}", "is not a share below 1", "give 0 for none"
            )
        if min(self.width, self.rank, self.channels) < 1:
            raise ModelError(str(self), "has a number below 1", "give positive numbers")

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        variant = _VARIANTS[self.variant]
        return 2**variant.levels * (_CELL if variant.dense else 1)

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels; the shortcuts reach less far."""
        variant = _VARIANTS[self.variant]
        windows = [Window(3)] + [Window(variant.kernel, 2)] * variant.levels
        if variant.dense:
            windows += [Window(_CELL, _CELL), Window(_CELL, _CELL, transposed=True)]
        windows += [Window(variant.kernel, 2, transposed=True)] * variant.levels + [Window(3)]
        return find_receptive_field(windows, self.stride)


PRESETS = {
    "tiny": Config(width=8),
    "paper": Config(dropout=0.2),
    "smooth": Config(skip="smooth"),
    "A": Config(variant="A"),
    "B": Config(variant="B"),
    "C": Config(variant="C"),
    "D": Config(),
    "E": Config(variant="E"),
}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image in [0, 1] (variant A: above 0).

    Aguiriano, Papadatos and Waelbroeck's network for Noise2Noise, of their course project at
    EPFL (EE-559); variant D has 55,395 trainable weights. What is different here:

    - A 5x5 kernel of stride 2 lies one pixel further right and down than theirs, a 3x3 kernel
      too, because Keras pads an odd number of pixels with the odd one at the end; the
      shortcuts lie where theirs do.
    - Their report does not say how the six convolutions of A and B are laid out: here as two
      blocks down and two up.
    - Nor what variant E's linear layer looks like. On all of a 32x32 image's bottleneck it
      would have 67 million weights and fit no other size. Here it is applied to each cell of
      32x32 pixels by itself, as a convolution as large as its stride, in two factors with
      nothing between them: a linear map of rank `rank`. Cells then know of each other only
      what the convolutions around carry over the seams.

    Args:
        config: The hourglass's shape.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`.
    """
    variant = _VARIANTS[config.variant]
    inputs = Inputs(config)
    x = _activate(convolve(inputs.seen, config.width, 3, "head_conv"), config, "head")
    for level in range(variant.levels):
        x = _shrink(x, config, f"encoder_{level}")
    x = _normalize(x, "middle_normalization")
    x = _drop(x, config.dropout, "middle_dropout")
    if variant.dense:
        x = convolve(x, config.rank, _CELL, "dense_down", strides=_CELL)
        x = convolve(x, config.width, _CELL, "dense_up", strides=_CELL, transposed=True)
    for level in reversed(range(variant.levels)):
        x = _enlarge(x, config, f"decoder_{level}")
    x = convolve(x, config.channels, 3, "tail", transposed=True, dtype="float32")
    denoised = keras.layers.Activation(variant.output, name="denoised", dtype="float32")(x)
    return inputs.make_network(denoised, "hourglass")


def _shrink(x: Any, config: Config, name: str) -> Any:
    kernel = _VARIANTS[config.variant].kernel
    branch = convolve(x, config.width, kernel, f"{name}_conv", strides=2)
    skip = convolve(x, config.width, 1, f"{name}_skip", strides=2)
    return keras.layers.Add(name=f"{name}_add")([_activate(branch, config, name), skip])


def _enlarge(x: Any, config: Config, name: str) -> Any:
    kernel = _VARIANTS[config.variant].kernel
    branch = convolve(x, config.width, kernel, f"{name}_conv", strides=2, transposed=True)
    if config.skip == "paper":
        skip = convolve(x, config.width, 1, f"{name}_skip", strides=2, transposed=True)
    else:
        skip = convolve(x, config.width, 1, f"{name}_skip")
        skip = keras.layers.UpSampling2D(2, name=f"{name}_skip_up")(skip)
    return keras.layers.Add(name=f"{name}_add")([_activate(branch, config, name), skip])


def _activate(x: Any, config: Config, name: str) -> Any:
    x = _normalize(x, f"{name}_normalization")
    x = keras.layers.ReLU(name=f"{name}_relu")(x)
    return _drop(x, config.dropout, f"{name}_dropout")


def _normalize(x: Any, name: str) -> Any:
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def _drop(x: Any, share: float, name: str) -> Any:
    return keras.layers.Dropout(share, name=name)(x) if share else x
