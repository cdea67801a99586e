"""Image quality as Keras metrics: means over images, gathered while a network is trained."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.metrics import WINDOW, gaussian_window

# A backend's tensor. Keras defines no public type for it.
Tensor = Any


class _ImageMetric(keras.metrics.MeanMetricWrapper):
    """The mean over images of what a function measures of each."""

    def __init__(self, measure: Any, peak: float, name: str, dtype: str) -> None:
        super().__init__(measure, name, dtype, peak=peak)
        self.peak = peak

    def get_config(self) -> dict[str, Any]:
        """What the metric is made of."""
        return {"name": self.name, "dtype": self.dtype, "peak": self.peak}


@keras.saving.register_keras_serializable("kerasdenoise")
class PSNR(_ImageMetric):
    """Mean peak signal-to-noise ratio of images in dB; `kerasdenoise.metrics.psnr` of each.

    Images are clean and denoised ones, (batch, height, width, channels). They are not clipped, and
    an image without any error makes the mean infinite.

    Args:
        peak: The largest possible value.
        name: What `fit` calls it.
        dtype: Of the mean.
    """

    def __init__(self, peak: float = 1.0, name: str = "psnr", dtype: str = "float32") -> None:
        super().__init__(_measure_psnr, peak, name, dtype)


@keras.saving.register_keras_serializable("kerasdenoise")
class SSIM(_ImageMetric):
    """Mean structural similarity of images; `kerasdenoise.metrics.ssim` of each.

    Images are clean and denoised ones, (batch, height, width, channels), with sides of at least 11.

    Args:
        peak: The largest possible value.
        name: What `fit` calls it.
        dtype: Of the mean.

    Raises:
        ValueError: If a side is shorter than the window, when it measures.
    """

    def __init__(self, peak: float = 1.0, name: str = "ssim", dtype: str = "float32") -> None:
        super().__init__(_measure_ssim, peak, name, dtype)


def _measure_psnr(clean: Tensor, denoised: Tensor, peak: float) -> Tensor:
    ops = keras.ops
    clean, denoised = ops.cast(clean, "float32"), ops.cast(denoised, "float32")
    error = ops.mean(ops.square((clean - denoised) / peak), axis=(1, 2, 3))
    return -10.0 * ops.log10(error)


def _measure_ssim(clean: Tensor, denoised: Tensor, peak: float) -> Tensor:
    ops = keras.ops
    sides = tuple(clean.shape[1:3])
    if any(side is not None and side < WINDOW for side in sides):
        raise ValueError(f"SSIM needs sides of at least {WINDOW} pixels, not {sides}")
    x, y = ops.cast(clean, "float32") / peak, ops.cast(denoised, "float32") / peak
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    )
    return ops.mean(similarity, axis=(1, 2, 3))


def _blur(images: Tensor) -> Tensor:
    """Averages with the Gaussian window, along columns and then rows, where it fits."""
    ops = keras.ops
    window = ops.convert_to_tensor(gaussian_window(), "float32")
    for shape in ((WINDOW, 1, 1, 1), (1, WINDOW, 1, 1)):
        kernel = ops.tile(ops.reshape(window, shape), (1, 1, images.shape[-1], 1))
        images = ops.depthwise_conv(images, kernel, padding="valid", data_format="channels_last")
    return images
