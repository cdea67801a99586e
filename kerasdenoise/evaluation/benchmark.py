"""Measuring a model on a set of samples."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kerasdenoise.errors import InputError
from kerasdenoise.evaluation.samples import Samples
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.metrics import psnr, ssim


@dataclass(frozen=True)
class Figures:
    """What was measured on one image.

    Attributes:
        name: The image's file name.
        height: Rows of pixels that were measured.
        width: Pixels in a row.
        noisy_psnr: PSNR of the noisy image in dB; where its noise is not clipped, neither is
            the image.
        psnr: PSNR of the denoised image, clipped to [0, 1], in dB.
        ssim: Mean structural similarity of the same.
        seconds: Time that denoising took.
    """

    name: str
    height: int
    width: int
    noisy_psnr: float
    psnr: float
    ssim: float
    seconds: float


@dataclass(frozen=True)
class Failure:
    """An image that could not be measured, and why."""

    name: str
    error: str


@dataclass(frozen=True)
class Result:
    """All that was measured with one kind of noise.

    Attributes:
        noise: What the noise is called.
        images: Figures of each image.
        failures: Images that are in no mean.
    """

    noise: str
    images: tuple[Figures, ...]
    failures: tuple[Failure, ...] = ()

    def mean(self, figure: str) -> float:
        """Mean of a figure over images; not a number if there are none."""
        values = self._values(figure)
        return float(np.mean(values)) if len(values) else math.nan

    def standard_error(self, figure: str) -> float:
        """Standard error of that mean; not a number for less than two finite figures."""
        values = self._values(figure)
        if len(values) < 2 or not np.isfinite(values).all():
            return math.nan
        return float(np.std(values, ddof=1) / math.sqrt(len(values)))

    @property
    def seconds_per_megapixel(self) -> float:
        """Time that denoising took, by the number of pixels; not a number if there are none."""
        pixels = sum(image.height * image.width for image in self.images)
        return 1e6 * float(self._values("seconds").sum()) / pixels if pixels else math.nan

    def _values(self, figure: str) -> np.ndarray:
        return np.array([getattr(image, figure) for image in self.images], np.float64)


def measure(
    denoiser: Denoiser,
    samples: Samples,
    *,
    on_start: Callable[[str], None] = lambda name: None,
    on_end: Callable[[Figures | Failure], None] = lambda outcome: None,
) -> Result:
    """Denoises all samples and compares each with its clean image.

    An image that cannot be read or measured is left out, and recorded as a failure.

    Args:
        denoiser: What is measured.
        samples: What it is measured on.
        on_start: Called with an image's name before its turn.
        on_end: Called with what came of it.
    """
    images: list[Figures] = []
    failures: list[Failure] = []
    for index, name in enumerate(samples.names):
        on_start(name)
        try:
            outcome = _measure_one(denoiser, samples, index)
            images.append(outcome)
        except InputError as error:
            outcome = Failure(name, str(error))
            failures.append(outcome)
        on_end(outcome)
    return Result(samples.label, tuple(images), tuple(failures))


def _measure_one(denoiser: Denoiser, samples: Samples, index: int) -> Figures:
    name = samples.names[index]
    sample = samples.load(index)
    start = time.perf_counter()
    denoised = denoiser.denoise_pixels(sample.noisy, name=name)
    seconds = time.perf_counter() - start
    denoised = np.clip(denoised, 0.0, 1.0)
    try:
        similarity = ssim(sample.clean, denoised)
    except ValueError as error:
        raise InputError(name, str(error), "leave it out of the folder") from error
    height, width, _ = sample.clean.shape
    return Figures(
        name=name,
        height=height,
        width=width,
        noisy_psnr=psnr(sample.clean, sample.noisy),
        psnr=psnr(sample.clean, denoised),
        ssim=similarity,
        seconds=seconds,
    )
