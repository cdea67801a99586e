"""LambdaNet: a lambda layer, which sees the whole image, and two small convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.lambda_layer import LambdaLayer
from kerasdenoise.models._convolutions import check_activation, convolve
from kerasdenoise.models._parts import Inputs
from kerasdenoise.models._primitives import Primitives
from kerasdenoise.runtime import keras_defaults


def _make_lambda_layer(config: Config, make: Primitives) -> LambdaLayer:
    return make.layer(
        LambdaLayer,
        config.out_channels,
        config.key_depth,
        config.heads,
        config.intra_depth,
        config.window,
        config.embedding_initializer,
        config.normalization,
        name="encoder",
    )


@dataclass(frozen=True)
class Config:
    """The network's shape.

    Attributes:
        channels: Channels of the image, 1 or 3.
        out_channels: Channels that the lambda layer gives, a multiple of `heads`; the decoder
            has half as many.
        key_depth: Numbers in a query and in a key.
        heads: Queries of a pixel.
        intra_depth: Keys of a pixel.
        window: Height and width that the positional lambda looks at, odd; None for the pixel
            itself.
        skip: What is added to the decoder's result, by a 1x1 convolution with batch
            normalization: `lambda`, what the decoder was given; `image`, the noisy image;
            `none`, nothing.
        inner_skip: Whether what the decoder was given is also added between its two convolutions,
            in the same way: the second shortcut that the paper leaves to future work.
        decoder_kernel: Size of the decoder's two kernels, odd.
        activation: Between them, by its name in Keras.
        output: The last activation, by its name in Keras.
        embedding_initializer: How the lambda layer's embedding starts: `unit`, or `paper` as in the
            paper's code; see `layers.LambdaLayer`.
        normalization: `batch`, or `layer`: over the channels of each pixel, which the paper leaves
            to future work.
        noise_level: Whether the network is told the level of the noise, as a second input.
    """

    channels: int = 3
    out_channels: int = 16
    key_depth: int = 16
    heads: int = 4
    intra_depth: int = 1
    window: int | None = 23
    skip: Literal["lambda", "image", "none"] = "lambda"
    inner_skip: bool = False
    decoder_kernel: int = 1
    activation: str = "relu"
    output: str = "sigmoid"
    embedding_initializer: Literal["unit", "paper"] = "unit"
    normalization: Literal["batch", "layer"] = "batch"
    noise_level: bool = False

    def __post_init__(self) -> None:
        _make_lambda_layer(self, Primitives())  # refuses what it cannot be
        if self.channels < 1:
            raise ModelError(f"lambda_net channels {self.channels}", "is below 1", "give 1 or 3")
        if self.out_channels < 2:
            raise ModelError("lambda_net out_channels 1", "cannot be halved", "give 2 or more")
        if self.skip not in ("lambda", "image", "none"):
            raise ModelError(
                f"lambda_net skip {self.skip!r}", "is unknown", "known: lambda, image, none"
            )
        if self.decoder_kernel < 1 or self.decoder_kernel % 2 == 0:
            raise ModelError(
                f"lambda_net decoder_kernel {self.decoder_kernel}",
                "is not an odd number above 0",
                "give 1 or 3",
            )
        for name in (self.activation, self.output):
            check_activation("lambda_net", name)

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return 1

    @property
    def radius(self) -> int:
        """How far an input pixel reaches, in pixels, if the content lambda stays as it is."""
        return (self.window or 1) // 2 + 2 * (self.decoder_kernel // 2)


PRESETS = {
    "tiny": Config(out_channels=4, key_depth=4, heads=2, intra_depth=2, window=5),
    "paper": Config(),
    "small_window": Config(intra_depth=4, window=7),
}


@keras_defaults()
def build(config: Config, make: Primitives | None = None) -> keras.Model:
    """Builds the network: noisy image to denoised image in [0, 1].

    The network of the student paper on denoising with LambdaNetworks: a `LambdaLayer`, two 1x1
    convolutions without bias, each with batch normalization, and a sigmoid; 9,083 trainable
    weights with a window of 23 (`paper`), 3,959 with one of 7 and an intra-depth of 4
    (`small_window`). With `out_channels` d they are 8,847 + 6.75 d + d^2 / 2 in `paper`. The
    paper speaks of a shortcut from the input to the output; its figure and its published
    weights have it from the lambda layer's result, as `skip="lambda"` does, and
    `skip="none"` is the variant of 9,026. What is different here:

    - The embedding starts at N(0, 1 / (k u window^2)), not at N(0, 1), with which the lambda
      layer's result starts at a standard deviation near 92; `embedding_initializer="paper"` starts
      it as theirs.
    - Their weight decay of 1e-5 is up to the training recipe.

    What the network knows of the whole image is the content lambda, `key_depth` times
    `out_channels` / `heads` numbers for each of `intra_depth`: a mean of the values of all
    pixels, weighted by a softmax. When a photo is denoised in tiles, the content lambda of the
    photo is computed first, from its parts, which are weighted by their softmax's denominators:
    it is exactly that of the whole photo. All tiles are given it, so that they agree with each
    other and with the photo denoised at once. What is left to see beyond a tile is `radius`.

    Args:
        config: The network's shape.
        make: What its lambda layer is made of.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32,
        of any size.
    """
    make = make or Primitives()
    inputs = Inputs(config)
    encoded = make.pass_context(inputs, _make_lambda_layer(config, make), inputs.seen)
    kernel = config.decoder_kernel
    x = convolve(encoded, config.out_channels // 2, kernel, "decoder_0_conv", use_bias=False)
    x = _normalize(x, config, "decoder_0_normalization")
    if config.inner_skip:
        skip = convolve(encoded, config.out_channels // 2, 1, "inner_skip_conv")
        x = keras.layers.Add(name="inner_skip_add")(
            [x, _normalize(skip, config, "inner_skip_normalization")]
        )
    x = keras.layers.Activation(config.activation, name="decoder_0_activation")(x)
    x = convolve(x, config.channels, kernel, "decoder_1_conv", use_bias=False)
    x = _normalize(x, config, "decoder_1_normalization")
    if config.skip != "none":
        source = encoded if config.skip == "lambda" else inputs.noisy
        skip = convolve(source, config.channels, 1, "skip_conv")
        skip = _normalize(skip, config, "skip_normalization")
        x = keras.layers.Add(name="skip_add", dtype="float32")([x, skip])
    denoised = keras.layers.Activation(config.output, name="denoised", dtype="float32")(x)
    return inputs.make_network(denoised, "lambda_net")


def _normalize(x: Any, config: Config, name: str) -> Any:
    if config.normalization == "layer":
        return keras.layers.LayerNormalization(epsilon=1e-5, name=name)(x)
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)
