"""Camera noise: made on the sensor, and shaped by all later processing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import keras
import numpy as np

from kerasdenoise.errors import UsageError
from kerasdenoise.noise.base import Noise, clipped_mean, per_image
from kerasdenoise.tensors import Tensor
from kerasdenoise.tensors.bayer import demosaic, demosaic_green, to_mosaic
from kerasdenoise.tensors.jpeg import jpeg, subsample
from kerasdenoise.tensors.resample import enlargement, filter_pair, gaussian_response, reduction

# Luma in all three channels: one product, where broadcasting a single one is slower.
_TO_GRAY = np.repeat(np.array([[0.25], [0.6], [0.15]], np.float32), 3, axis=1)
# Luma, and the differences of red and blue from it.
_TO_YCC = np.array(
    [[0.299, 0.701, -0.299], [0.587, -0.587, -0.587], [0.114, -0.114, 0.886]], np.float32
)
_TO_RGB = np.linalg.inv(_TO_YCC)
_UNSHARP_WIDTH = 1.0
# Where the tone curve's slope in black and in white is measured, on the linear scale.
_NEAR_BLACK, _NEAR_WHITE = 0.01, 0.99
# Shares and sizes of noise of either sign that, with no noise as the rest, represent a Gaussian of
# deviation 1. Wherever it is clipped, its mean is correct to 0.02.
_EXPOSURES = ((0.2504, 0.7885), (0.0988, 1.8644))

# As programs and sites save photos, with lower quality than cameras.
_REDUCED: dict[str, Any] = {
    "reduction": (0.6, 0.95),
    "quality": (75.0, 99.0),
    "steepness": (0.5, 1.0),
}
_NIGHT: dict[str, Any] = {
    "shot": (4e-3, 6e-2),
    "denoised": 1.0,
    "luma_smoothing": (0.7, 0.97),
    "luma_width": (2.0, 8.0),
    "chroma_smoothing": (0.7, 1.0),
    "chroma_width": (2.0, 5.0),
    "blotch_smoothing": (0.4, 0.95),
    "blotch_width": (5.0, 14.0),
    "flattened": (-0.5, 0.5),
    "sharpening": (0.3, 1.2),
    "quality": (75.0, 99.0),
    "compressed": 1.0,
}


@dataclass(frozen=True)
class Camera(Noise):
    """Shot and read noise on a Bayer sensor, followed by a camera's processing.

    The clean image is converted back to linear sensor values (tone curve, color matrix, white
    balance). There each photosite gets Gaussian noise of variance `shot * value + read`
    (Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for single-image
    raw-data", IEEE TIP 2008), and each row or column of the sensor gets its own noise (Wei et
    al., "A physics-based noise formation model for extreme low-light raw denoising", CVPR 2020,
    without its long-tailed read noise, dark current and quantization). Only the noise is
    demosaiced. For a linear demosaic, this equals the difference of the demosaiced noisy and
    clean mosaics, but keeps the image's detail sharp. Gains, color matrix and tone curve convert
    back. Then the camera denoises, color more than luma, and sharpens. Both also act only on the
    noise; JPEG acts on everything.

    All parameters are drawn for each image, uniformly unless noted. Large shares are likelier,
    because the square root of a uniform number is drawn.

    Attributes:
        shot: Range of the shot noise factor; log-uniform.
        scatter: Deviation of the logarithm of the read noise variance around its line.
        bands: Range of the deviation of row or column noise, relative to read noise.
        directed: Share of the images whose green is interpolated along the edges of the noisy
            mosaic, rather than equally in all directions.
        gamma: Range of the tone curve's exponent.
        toe: Range of the tone curve's offset, which bounds its slope in black; 0 is a power law.
        contrast: Range of the tone curve's S shape; 1 is none.
        black: Range of the linear value below which the sensor clips; the file also clips at 0,
            after smoothing.
        white: Range of the linear value above which the sensor clips; the file also clips at 1.
        gain: Range of the white balance gains of red and blue.
        saturation: Range of the color matrix's boost of saturation; 1 is none.
        softness: Range of the deviation, in pixels, of a Gaussian window that smooths all noise,
            like demosaics along edges and lens corrections.
        chroma_softness: The same for chroma, besides: demosaics interpolate differences of color,
            and chroma is often stored at half the resolution.
        denoised: Share of the images that the camera denoises.
        luma_smoothing: Range of the share of luma noise that is replaced by its local mean.
        luma_width: Range of the deviation, in pixels, of that mean's Gaussian window.
        chroma_smoothing: The same share for chroma; at least luma's.
        chroma_width: The same deviation for chroma.
        blotch_smoothing: The same share for the remaining chroma, over a wider window.
        blotch_width: Range of that window's deviation.
        edge: Range of the slope of luma, per pixel, that counts half as an edge for edge-preserving
            denoising; log-uniform.
        spared: Range of the share of luma noise that such denoising leaves unsmoothed at edges.
        flattened: Range of the share of all noise that it removes away from edges; below 0 is
            none.
        sharpening: Range of the amount of unsharp masking of luma, 1 pixel wide.
        reduction: Range of the factor by which the image is downscaled after demosaicing.
        quality: Range of the JPEG quality.
        compressed: Share of the images that are compressed: a third each with chroma of full
            resolution, half across, and half in both directions.
        steepness: Range of the steepness of the quantization table; 1 is the standard's table.
        resaved: Share of the compressed images that are saved again with another quality.
        shrunk: Share of the compressed and downscaled images that were compressed before as well.
    """

    kind: ClassVar[str] = "camera"
    multiple: ClassVar[int] = 16  # two blocks of JPEG, for half-resolution chroma
    color_only: ClassVar[bool] = True
    keeps_tone: ClassVar[bool] = True

    shot: tuple[float, float] = (1.5e-4, 2e-2)
    scatter: float = 1.0
    bands: tuple[float, float] = (0.0, 0.25)
    directed: float = 0.5
    gamma: tuple[float, float] = (2.0, 2.8)
    toe: tuple[float, float] = (0.03, 0.16)
    contrast: tuple[float, float] = (1.0, 1.6)
    black: tuple[float, float] = (-0.02, 0.01)
    white: tuple[float, float] = (0.92, 1.08)
    gain: tuple[float, float] = (1.2, 2.4)
    saturation: tuple[float, float] = (1.0, 2.0)
    softness: tuple[float, float] = (0.0, 1.5)
    chroma_softness: tuple[float, float] = (0.0, 2.5)
    denoised: float = 0.75
    luma_smoothing: tuple[float, float] = (0.0, 0.98)
    luma_width: tuple[float, float] = (1.0, 10.0)
    chroma_smoothing: tuple[float, float] = (0.2, 1.0)
    chroma_width: tuple[float, float] = (1.0, 4.0)
    blotch_smoothing: tuple[float, float] = (0.0, 0.95)
    blotch_width: tuple[float, float] = (4.0, 12.0)
    edge: tuple[float, float] = (0.015, 0.08)
    spared: tuple[float, float] = (0.0, 1.0)
    flattened: tuple[float, float] = (-0.15, 1.0)
    sharpening: tuple[float, float] = (0.0, 0.8)
    reduction: tuple[float, float] = (1.0, 1.0)
    quality: tuple[float, float] = (92.0, 100.0)
    compressed: float = 0.7
    steepness: tuple[float, float] = (0.2, 0.9)
    resaved: float = 0.3
    shrunk: float = 0.5

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads nothing, `reduced`, `night` or the shot noise factor.

        `reduced` is a downscaled image. `night` is a phone's night mode: strong noise, smoothed
        until wide blotches and noise along edges remain, then sharpened and compressed.
        """
        if argument == "":
            return cls()
        if argument == "reduced":
            return cls(**_REDUCED)
        if argument == "night":
            return cls(**_NIGHT)
        try:
            shot = float(argument)
        except ValueError:
            shot = math.nan
        if not 0 < shot <= 0.1:
            raise UsageError(
                f"{cls.kind}:{argument}",
                "needs 'reduced', 'night' or a shot noise factor above 0 and up to 0.1",
                "write for example 'camera:0.004', or 'camera' for all levels",
            )
        return cls(shot=(shot, shot))

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Draws a noisy version of each image; see `Noise.__call__`.

        The result is clipped to [0, 1], like a camera's file.
        """
        return self.draw_pair(clean, seed)[0]

    def draw_pair(self, clean: Tensor, seed: keras.random.SeedGenerator) -> tuple[Tensor, Tensor]:
        """Draws a noisy version of each image, and the mean of many; see `Noise.draw_pair`.

        Of JPEG's losses, only reduced chroma is part of that mean.
        """
        ops = keras.ops
        curve = _ToneCurve(
            per_image(clean, *self.gamma, seed),
            per_image(clean, *self.toe, seed),
            per_image(clean, *self.contrast, seed),
        )
        saturation = per_image(clean, *self.saturation, seed)
        gains = [per_image(clean, *self.gain, seed) for _ in range(2)]
        gains = ops.concatenate([gains[0], ops.ones_like(gains[0]), gains[1]], axis=-1)

        linear = curve.to_linear(clean)
        sensor = ops.maximum(_saturate(linear, 1.0 / saturation), 0.0) / gains
        shot, read = self._sensitivity(clean, seed)
        scale = per_image(clean, *self.reduction, seed)
        noise = self._sensor_noise(sensor, shot, read, scale, seed)
        noise = _saturate(noise * gains, saturation)
        variance = _saturate_variance((shot * sensor + read) * gains * gains, saturation)
        # The remaining deviation after demosaic and reduction, measured in this draw.
        deviation = ops.sqrt(variance * _mean(ops.square(noise)) / _mean(variance))

        black, white = per_image(clean, *self.black, seed), per_image(clean, *self.white, seed)
        seen = ops.clip(clean, curve.to_tone(black), curve.to_tone(white))

        def expose(noise: Tensor) -> Tensor:
            return curve.to_tone(ops.clip(linear + noise, black, white)) - seen

        exposures = [
            (share, expose(sign * place * deviation))
            for share, place in _EXPOSURES
            for sign in (-1, 1)
        ]
        shift = sum(share * added for share, added in exposures)
        variance = sum(share * ops.square(added) for share, added in exposures)
        # Never below zero, because the shares of noise add up to less than one.
        variance = variance - ops.square(shift)
        noise, shift, kept = self._process(expose(noise), shift, clean, seed)
        variance = variance * ops.square(kept)
        left = _mean(ops.square(noise - shift)) / ops.maximum(_mean(variance), 1e-12)

        expected = clipped_mean(clean + shift, ops.sqrt(variance * left))
        return self._compress(ops.clip(clean + noise, 0.0, 1.0), expected, scale, seed)

    def _process(
        self, noise: Tensor, shift: Tensor, clean: Tensor, seed: keras.random.SeedGenerator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Denoises and sharpens noise (batch, height, width, 3) and its mean.

        Returns both, and the share of the noise kept at each pixel.
        """
        ops = keras.ops
        _, height, width, _ = ops.shape(noise)

        def removed(share: Tensor, window: Tensor) -> Tensor:
            """The response after removing a share of what a window smooths away."""
            return 1.0 - share * (1.0 - gaussian_response(window, height, width))

        def strong(shares: tuple[float, float]) -> Tensor:
            low, high = shares
            return low + (high - low) * ops.sqrt(per_image(noise, 0.0, 1.0, seed))

        softness = gaussian_response(per_image(noise, *self.softness, seed), height, width)
        is_denoised = ops.cast(per_image(noise, 0.0, 1.0, seed) < self.denoised, "float32")
        least = is_denoised * strong(self.luma_smoothing)
        luma = softness * removed(least, per_image(noise, *self.luma_width, seed))
        amount = per_image(noise, *self.sharpening, seed)
        luma = luma * removed(-amount, _UNSHARP_WIDTH * ops.ones_like(amount))

        # No camera denoises luma more than color.
        share = ops.maximum(is_denoised * strong(self.chroma_smoothing), least)
        chroma = softness * gaussian_response(
            per_image(noise, *self.chroma_softness, seed), height, width
        )
        chroma = chroma * removed(share, per_image(noise, *self.chroma_width, seed))
        share = is_denoised * strong(self.blotch_smoothing)
        chroma = chroma * removed(share, per_image(noise, *self.blotch_width, seed))

        response = ops.concatenate([luma, chroma, chroma], axis=1)
        both = ops.matmul(noise, _TO_YCC), ops.matmul(shift, _TO_YCC)
        low, high = (math.log(slope) for slope in self.edge)
        edges = _find_edges(clean, per_image(clean, low, high, seed))
        spared = is_denoised * per_image(noise, *self.spared, seed) * edges
        flattened = is_denoised * ops.maximum(per_image(noise, *self.flattened, seed), 0.0)
        kept = 1.0 - flattened * (1.0 - edges)
        results = []
        for before, after in zip(both, filter_pair(*both, response), strict=True):
            luma = after[..., :1] + spared * (before[..., :1] - after[..., :1])
            ycc = kept * ops.concatenate([luma, after[..., 1:]], axis=-1)
            results.append(ops.matmul(ycc, _TO_RGB))
        return results[0], results[1], kept

    def _compress(
        self, noisy: Tensor, expected: Tensor, scale: Tensor, seed: keras.random.SeedGenerator
    ) -> tuple[Tensor, Tensor]:
        """Saves as JPEG once or twice, perhaps before it was downscaled too, or not at all."""
        ops = keras.ops
        first, second, large = (per_image(noisy, *self.quality, seed) for _ in range(3))
        # Saving again with the same quality changes nothing.
        second = ops.where(per_image(noisy, 0.0, 1.0, seed) < self.resaved, second, first)
        is_compressed = per_image(noisy, 0.0, 1.0, seed) < self.compressed
        subsampling = ops.floor(per_image(noisy, 0.0, 3.0, seed))
        steepness = per_image(noisy, *self.steepness, seed)
        packed = noisy
        if self.reduction[0] < 1.0 and self.shrunk > 0.0:
            _, height, width, _ = ops.shape(noisy)
            tall, wide = (self._enlarged(side, self.multiple) for side in (height, width))
            full = enlargement(noisy, scale, tall, wide)
            lost = jpeg(full, [large], subsampling, steepness) - full
            is_shrunk = ops.cast(per_image(noisy, 0.0, 1.0, seed) < self.shrunk, "float32")
            packed = noisy + is_shrunk * reduction(lost, scale, height, width)
        packed = jpeg(ops.clip(packed, 0.0, 1.0), [first, second], subsampling, steepness)
        # An average of many exposures is no sharper in color than each of them.
        expected = ops.where(is_compressed, subsample(expected, subsampling), expected)
        return ops.where(is_compressed, packed, noisy), expected

    def _enlarged(self, side: int, multiple: int) -> int:
        """The side of an image before the largest reduction, rounded up."""
        return multiple * math.ceil(side / self.reduction[0] / multiple)

    def _sensitivity(
        self, clean: Tensor, seed: keras.random.SeedGenerator
    ) -> tuple[Tensor, Tensor]:
        """Draws the shot noise factor and the variance of read noise, (batch, 1, 1, 1) each."""
        ops = keras.ops
        low, high = (math.log(value) for value in self.shot)
        log_shot = per_image(clean, low, high, seed)
        # Both grow with ISO. Slope and scatter are those of published profiles of 433 cameras.
        scatter = keras.random.normal(
            ops.shape(log_shot), stddev=self.scatter, dtype="float32", seed=seed
        )
        return ops.exp(log_shot), ops.exp(1.28 * log_shot - 1.77 + scatter)

    def _sensor_noise(
        self,
        sensor: Tensor,
        shot: Tensor,
        read: Tensor,
        scale: Tensor,
        seed: keras.random.SeedGenerator,
    ) -> Tensor:
        """Draws the demosaiced noise of linear sensor values (batch, height, width, 3)."""
        ops = keras.ops
        _, height, width, _ = ops.shape(sensor)
        smallest = self.reduction[0]
        if smallest < 1.0:
            tall, wide = (self._enlarged(side, 2) for side in (height, width))
            sensor = enlargement(sensor, scale, tall, wide)
        else:
            tall, wide = height, width

        value = to_mosaic(sensor)
        deviation = ops.sqrt(shot * value + read)
        mosaic = deviation * keras.random.normal(ops.shape(value), dtype="float32", seed=seed)
        mosaic = mosaic + ops.sqrt(read) * self._band_noise(value, seed)
        noise = demosaic(mosaic, per_image(sensor, 0.0, 1.0, seed))
        along = demosaic_green(mosaic, value + mosaic)
        is_directed = per_image(sensor, 0.0, 1.0, seed) < self.directed
        green = ops.where(is_directed, along, noise[..., 1:2])
        noise = ops.concatenate([noise[..., :1], green, noise[..., 2:]], axis=-1)
        return reduction(noise, scale, height, width) if smallest < 1.0 else noise

    def _band_noise(self, mosaic: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Draws the noise shared by all photosites of a row or column.

        A camera reads its sensor along one axis, but may be rotated.
        """
        ops = keras.ops
        batch, tall, wide, _ = ops.shape(mosaic)
        upright = ops.cast(per_image(mosaic, 0.0, 1.0, seed) < 0.5, "float32")
        deviation = per_image(mosaic, *self.bands, seed)
        rows = keras.random.normal((batch, tall, 1, 2), dtype="float32", seed=seed) * (
            deviation * (1 - upright)
        )
        columns = keras.random.normal((batch, 1, wide, 2), dtype="float32", seed=seed) * (
            deviation * upright
        )
        # The four positions of a cell are in rows 0, 0, 1, 1 and columns 0, 1, 0, 1.
        return ops.repeat(rows, 2, axis=-1) + ops.tile(columns, (1, 1, 1, 2))


@dataclass(frozen=True)
class _ToneCurve:
    """A camera's tone curve: a power law with a toe, then an S curve around mid-gray.

    The toe is the offset of sRGB (0.055), BT.709 (0.099) and CIE lightness (0.16). It continues
    down to black, where these standards use a straight line. All fields are (batch, 1, 1, 1).
    """

    gamma: Tensor
    toe: Tensor
    contrast: Tensor

    def to_tone(self, linear: Tensor) -> Tensor:
        """Maps [0, 1] onto itself; beyond, the curve is a straight line."""
        ops = keras.ops
        inside = ops.clip(linear, 0.0, 1.0)
        beyond = linear - inside
        below, above = self._curve(_NEAR_BLACK) / _NEAR_BLACK, 1.0 - self._curve(_NEAR_WHITE)
        below = below * ops.minimum(beyond, 0.0)
        above = above / (1.0 - _NEAR_WHITE) * ops.maximum(beyond, 0.0)
        return self._curve(inside) + below + above

    def _curve(self, linear: Tensor | float) -> Tensor:
        black = self._black()
        tone = _power(black + (1.0 - black) * linear, 1.0 / self.gamma)
        return _s_curve((1.0 + self.toe) * tone - self.toe, self.contrast)

    def to_linear(self, tone: Tensor) -> Tensor:
        black = self._black()
        tone = (_s_curve(tone, 1.0 / self.contrast) + self.toe) / (1.0 + self.toe)
        return (_power(tone, self.gamma) - black) / (1.0 - black)

    def _black(self) -> Tensor:
        return _power(self.toe / (1.0 + self.toe), self.gamma)


def _saturate(linear: Tensor, factor: Tensor) -> Tensor:
    """Scales the distance to gray; `1 / factor` undoes `factor`."""
    gray = keras.ops.matmul(linear, _TO_GRAY)
    return gray + factor * (linear - gray)


def _saturate_variance(variance: Tensor, factor: Tensor) -> Tensor:
    """The variance of independent channels after `_saturate`."""
    gray = keras.ops.matmul(variance, np.square(_TO_GRAY))
    rest = 1.0 - factor
    own = factor * factor + 2.0 * factor * rest * _TO_GRAY[:, 0]
    return own * variance + rest * rest * gray


def _mean(images: Tensor) -> Tensor:
    """The mean of each channel of each image, (batch, 1, 1, channels)."""
    return keras.ops.mean(images, axis=(1, 2), keepdims=True)


def _find_edges(clean: Tensor, log_slope: Tensor) -> Tensor:
    """The strength of edges around each pixel, (batch, height, width, 1) in [0, 1]."""
    ops = keras.ops
    luma = ops.matmul(clean, _TO_YCC[:, :1])
    slope = sum(ops.abs(luma - ops.roll(luma, 1, axis=axis)) for axis in (1, 2))
    slope = ops.average_pool(slope, 5, strides=1, padding="same", data_format="channels_last")
    return slope / (slope + ops.exp(log_slope))


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    # Backends vectorize exp and log but not pow, which took a third of a training step.
    return keras.ops.exp(exponent * keras.ops.log(keras.ops.maximum(base, 1e-10)))


def _s_curve(tone: Tensor, contrast: Tensor) -> Tensor:
    """`t^c / (t^c + (1 - t)^c)`, whose inverse has the exponent `1 / c`."""
    ops = keras.ops
    tone = ops.clip(tone, 1e-6, 1.0 - 1e-6)
    return ops.sigmoid(contrast * (ops.log(tone) - ops.log(1.0 - tone)))
