"""The noise of a camera's pictures: made on the sensor, shaped by all that follows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import keras
import numpy as np

from kerasdenoise.errors import UsageError
from kerasdenoise.noise.base import Noise, Tensor, per_image
from kerasdenoise.noise.bayer import demosaic, to_mosaic
from kerasdenoise.noise.jpeg import jpeg
from kerasdenoise.noise.resample import enlargement, reduction

# Luma in all three channels: one product, where broadcasting a single one is slower.
_TO_GRAY = np.repeat(np.array([[0.25], [0.6], [0.15]], np.float32), 3, axis=1)
_BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


@dataclass(frozen=True)
class Camera(Noise):
    """Shot and read noise on a Bayer sensor, through a camera's processing, to a picture.

    The clean picture is taken back to linear sensor values (tone curve, color matrix, white
    balance). There each photosite gets Gaussian noise of variance `shot * value + read`
    (Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for single-image
    raw-data", IEEE TIP 2008). The noise alone is demosaiced, which for a linear demosaic is
    the same as demosaicing the noisy and the clean mosaic and subtracting, but leaves the
    picture's detail as sharp as it was. Gains, color matrix and tone curve lead back; the
    camera's own noise reduction or sharpening acts on the noise, and JPEG on everything.

    All parameters are drawn anew for each image, uniformly unless said otherwise.

    Attributes:
        shot: Range of the shot noise factor; log-uniform.
        gamma: Range of the tone curve's exponent.
        contrast: Range of the tone curve's S shape; 1 is none.
        gain: Range of the white balance gains of red and blue.
        saturation: Range of the color matrix's boost of saturation; 1 is none.
        smoothing: Range of the weight of the binomial window in the noise; negative sharpens.
        reduction: Range of the factor by which the picture was reduced after demosaicing.
        quality: Range of the JPEG quality.
        compressed: Share of the images that are compressed at all.
        subsampled: Share of the compressed ones with half-resolution chroma.
    """

    kind: ClassVar[str] = "camera"
    multiple: ClassVar[int] = 16  # two blocks of JPEG, for half-resolution chroma
    color_only: ClassVar[bool] = True

    shot: tuple[float, float] = (2e-4, 1.2e-2)
    gamma: tuple[float, float] = (1.8, 2.4)
    contrast: tuple[float, float] = (1.0, 1.4)
    gain: tuple[float, float] = (1.2, 2.4)
    saturation: tuple[float, float] = (1.0, 1.6)
    smoothing: tuple[float, float] = (-0.2, 0.9)
    reduction: tuple[float, float] = (1.0, 1.0)
    quality: tuple[float, float] = (60.0, 98.0)
    compressed: float = 0.6
    subsampled: float = 0.5

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads nothing, `reduced` (the picture was made smaller) or the shot noise factor."""
        if argument == "":
            return cls()
        if argument == "reduced":
            return cls(reduction=(0.6, 0.95))
        try:
            shot = float(argument)
        except ValueError:
            shot = math.nan
        if not 0 < shot <= 0.1:
            raise UsageError(
                f"{cls.kind}:{argument}",
                "takes 'reduced' or a shot noise factor above 0 and up to 0.1",
                "write for example 'camera:0.004', or 'camera' for all levels",
            )
        return cls(shot=(shot, shot))

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Takes a noisy picture of each image; see `Noise.__call__`.

        The result is clipped to [0, 1], as a camera's file is.
        """
        ops = keras.ops
        gamma = per_image(clean, *self.gamma, seed)
        contrast = per_image(clean, *self.contrast, seed)
        saturation = per_image(clean, *self.saturation, seed)
        one = ops.ones_like(gamma)
        gains = ops.concatenate(
            [per_image(clean, *self.gain, seed), one, per_image(clean, *self.gain, seed)], axis=-1
        )

        linear = _tone_to_linear(clean, gamma, contrast)
        sensor = ops.maximum(_saturate(linear, 1.0 / saturation), 0.0) / gains
        noise = _saturate(self._sensor_noise(sensor, seed) * gains, saturation)
        noisy = _linear_to_tone(ops.clip(linear + noise, 0.0, 1.0), gamma, contrast)

        weight = per_image(clean, *self.smoothing, seed)
        added = noisy - clean
        noisy = ops.clip(clean + added + weight * (_smooth(added) - added), 0.0, 1.0)

        quality = per_image(clean, *self.quality, seed)
        half_chroma = per_image(clean, 0.0, 1.0, seed) < self.subsampled
        packed = jpeg(noisy, quality, ops.cast(half_chroma, "float32"))
        return ops.where(per_image(clean, 0.0, 1.0, seed) < self.compressed, packed, noisy)

    def _sensor_noise(self, sensor: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Draws the demosaiced noise of linear sensor values (batch, height, width, 3)."""
        ops = keras.ops
        _, height, width, _ = ops.shape(sensor)
        scale = per_image(sensor, *self.reduction, seed)
        smallest = self.reduction[0]
        if smallest < 1.0:
            tall, wide = (2 * math.ceil(side / smallest / 2) for side in (height, width))
            sensor = enlargement(sensor, scale, tall, wide)
        else:
            tall, wide = height, width

        low, high = (math.log(value) for value in self.shot)
        log_shot = per_image(sensor, low, high, seed)
        # Read noise grows with the shot noise factor, as both do with ISO; across cameras it
        # scatters around this line.
        scatter = keras.random.normal(ops.shape(log_shot), stddev=0.4, seed=seed)
        read = ops.exp(1.6 * log_shot + 0.3 + scatter)

        value = to_mosaic(sensor)
        deviation = ops.sqrt(ops.exp(log_shot) * value + read)
        mosaic = deviation * keras.random.normal(ops.shape(value), seed=seed)
        noise = demosaic(mosaic, per_image(sensor, 0.0, 1.0, seed))
        return reduction(noise, scale, height, width) if smallest < 1.0 else noise


def _saturate(linear: Tensor, factor: Tensor) -> Tensor:
    """Scales the distance to gray; `factor` and `1 / factor` undo each other."""
    gray = keras.ops.matmul(linear, _TO_GRAY)
    return gray + factor * (linear - gray)


def _linear_to_tone(linear: Tensor, gamma: Tensor, contrast: Tensor) -> Tensor:
    """A camera's tone curve: a power law, then an S curve around mid-gray."""
    return _s_curve(_power(linear, 1.0 / gamma), contrast)


def _tone_to_linear(picture: Tensor, gamma: Tensor, contrast: Tensor) -> Tensor:
    return _power(_s_curve(picture, 1.0 / contrast), gamma)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    # Backends vectorize exp and log but not pow, which took a third of a training step.
    return keras.ops.exp(exponent * keras.ops.log(keras.ops.maximum(base, 1e-10)))


def _s_curve(tone: Tensor, contrast: Tensor) -> Tensor:
    """`t^c / (t^c + (1 - t)^c)`, whose inverse has the exponent `1 / c`."""
    ops = keras.ops
    tone = ops.clip(tone, 1e-6, 1.0 - 1e-6)
    return ops.sigmoid(contrast * (ops.log(tone) - ops.log(1.0 - tone)))


def _smooth(noise: Tensor) -> Tensor:
    """Convolves each channel with the 5x5 binomial window, zero beyond the borders."""
    _, height, width, _ = keras.ops.shape(noise)
    tall = keras.ops.pad(noise, ((0, 0), (2, 2), (0, 0), (0, 0)))
    noise = sum(weight * tall[:, i : i + height] for i, weight in enumerate(_BINOMIAL))
    wide = keras.ops.pad(noise, ((0, 0), (0, 0), (2, 2), (0, 0)))
    return sum(weight * wide[:, :, i : i + width] for i, weight in enumerate(_BINOMIAL))
