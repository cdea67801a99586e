"""A denoiser of another architecture between a learned curve of pixel values and its inverse."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.regressors import SharedValues
from kerasdenoise.layers.variance_stabilizer import VarianceStabilizer
from kerasdenoise.models import Config as AnyConfig
from kerasdenoise.models import get_architecture, make_config
from kerasdenoise.models._parts import NOISE_LEVEL, TILE, ContextNetwork, Inputs, get_parts
from kerasdenoise.runtime import keras_defaults
from kerasdenoise.tensors import Tensor

# What the denoiser is called within the network.
DENOISER = "denoiser"


@dataclass(frozen=True)
class Config:
    """The curve, and the denoiser inside.

    Attributes:
        channels: Channels of the image, 1 or 3.
        architecture: The denoiser's architecture.
        denoiser: Its settings, without `channels`.
        low: The smallest pixel value that the curve is fitted to.
        high: The largest one.
        knots: Of how many the curve is made.
        level: Standard deviation of the noise behind the curve, which a denoiser that takes a
            level is told.
        noise_level: Whether the network is told the level of the noise in front of the curve.
        estimates_level: Whether it tells itself, by the slope of the curve.
    """

    channels: int = 3
    architecture: str = "unet"
    denoiser: dict[str, Any] = field(default_factory=dict)
    low: float = 0.0
    high: float = 1.0
    knots: int = 128
    level: float = 25 / 255
    noise_level: bool = False
    estimates_level: bool = False

    def __post_init__(self) -> None:
        inner = self.inner
        if not self.level > 0:
            raise ModelError(f"level {self.level:g}", "is not above 0", "give the noise's level")
        if self.noise_level and self.estimates_level:
            raise ModelError(
                str(self), "is told the noise level and estimates it", "choose one of them"
            )
        if getattr(inner, "estimates_level", False):
            raise ModelError(
                f"denoiser {self.architecture}",
                "estimates the noise level, which the curve has made the same everywhere",
                "write noise_level = true in its settings",
            )
        if (self.noise_level or self.estimates_level) and not inner.noise_level:
            raise ModelError(
                f"denoiser {self.architecture}",
                "is not told the level of the noise, and so cannot follow it",
                "write noise_level = true in its settings",
            )

    @property
    def inner(self) -> AnyConfig:
        """The denoiser's own settings."""
        return make_config(self.architecture, {**self.denoiser, "channels": self.channels})

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        return self.inner.stride

    @property
    def radius(self) -> int:
        """How far an input pixel reaches: the curve is one of single pixels."""
        return self.inner.radius


PRESETS = {"tiny": Config(denoiser={"preset": "tiny", "noise_level": True}, knots=32)}


@keras_defaults()
def build(config: Config) -> keras.Model:
    """Builds the network: noisy image to denoised image, neither clipped.

    A denoiser for Gaussian noise of one level denoises noise of another kind once a curve has made
    it such (Herbreteau and Unser, "Self-calibrated variance-stabilizing transformations for
    real-world image denoising" (Noise2VST), ICCV 2025, who learn the curve from the noisy image;
    see `training.tasks.noise2vst`). What differs from the paper: the level that the denoiser is
    told follows the one that the network is told, so that strength and sigma keep their meaning.

    Args:
        config: The curve, and the denoiser inside.

    Returns:
        A functional model from (batch, height, width, channels) to the same shape, float32;
        sides are multiples of `config.stride`. If it estimates the noise level, its parts are
        `noise_level` and `tile`; see `models.get_parts`.

    Raises:
        ModelError: If the denoiser needs statistics of the whole image.
    """
    network = get_architecture(config.architecture).build(config.inner)
    if get_parts(network).context is not None:
        raise ModelError(
            f"denoiser {config.architecture}",
            "needs statistics of the whole image",
            "choose one that does not, such as unet",
        )
    denoiser = keras.Model(network.input, network.output, name=DENOISER)
    curve = VarianceStabilizer(config.low, config.high, config.knots, name="curve")
    unbias = SharedValues((1.0, 0.0), name="unbias")
    is_told = config.inner.noise_level

    def denoise(noisy: Tensor, level: Tensor | None) -> Tensor:
        given = curve(noisy)
        if is_told and level is None:
            given = [given, config.level * keras.ops.ones_like(noisy[..., :1])]
        elif is_told:
            given = [given, level / _noise_in_front(curve, noisy)]
        values = unbias(noisy)
        return values[..., :1] * curve(denoiser(given), mode="backward") + values[..., 1:]

    if not config.estimates_level:
        inputs = Inputs(config)
        return inputs.make_network(denoise(inputs.noisy, inputs.noise_level), "stabilized")
    seen = keras.Input((None, None, config.channels), name="noisy")
    estimator = keras.Model(seen, config.level * _noise_in_front(curve, seen), name=NOISE_LEVEL)
    told = Inputs(dataclasses.replace(config, estimates_level=False, noise_level=True))
    tile = keras.Model(
        [told.noisy, told.noise_level], denoise(told.noisy, told.noise_level), name=TILE
    )
    noisy = keras.Input((None, None, config.channels), name="noisy")
    # Not a plain one, as both parts have the curve.
    return ContextNetwork(noisy, tile([noisy, estimator(noisy)]), name="stabilized", config=config)


def _noise_in_front(curve: VarianceStabilizer, noisy: Tensor) -> Tensor:
    """The level of the noise before the curve, of noise of level 1 behind it: (..., 1)."""
    slopes = curve(noisy, mode="slope")
    mean = keras.ops.mean(keras.ops.square(1.0 / slopes), axis=-1, keepdims=True)
    return keras.ops.sqrt(mean)
