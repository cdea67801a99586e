"""Denoises what is given, a file, its bytes, a Pillow image or an array, and gives such back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.errors import UsageError
from kerasdenoise.images.plan import plan_jobs
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image, write_image
from kerasdenoise.inference.arrays import denoise_array, denoise_pil

if TYPE_CHECKING:
    from kerasdenoise.inference.denoiser import Denoiser


def denoise_given(
    noisy: Any,
    denoiser: Denoiser,
    strength: float,
    keep_grain: float,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
) -> Any:
    """Denoises an image of any type that `denoiser.denoise` takes, which says more.

    Args:
        noisy: The image.
        denoiser: What denoises it.
        strength: How much of the denoising to apply, which it can follow.
        keep_grain: How much grain to keep, in [0, 1].
        output: For a path only: the file or folder to write to.
        overwrite: For a path only: replace a file that is there.

    Returns:
        The path of the file that was written, or what was given, denoised.

    Raises:
        InputError: The image cannot be read, holds values that are not finite, or does not fit
            into memory.
        OutputError: The result cannot be written.
        UsageError: The result's file exists, or `noisy` is of a type that is not known.
    """

    def denoise_into(values: np.ndarray, results: np.ndarray) -> None:
        denoiser.denoise_into(values, results, strength, keep_grain)

    def denoise_file(source: Path | bytes, name: object = "image") -> Any:
        image = read_image(source, exact=True)
        return denoiser.denoise_image(image, strength, keep_grain=keep_grain, name=name)

    if isinstance(noisy, str | os.PathLike):
        (job,) = plan_jobs([Path(noisy)], output, overwrite=overwrite).jobs
        denoised = denoise_file(job.source, job.source)
        write_image(denoised, job.target, overwrite=overwrite, job=job)
        return str(job.target) if isinstance(noisy, str) else job.target
    if isinstance(noisy, bytes):
        return encode_image(denoise_file(noisy))
    if isinstance(noisy, np.ndarray):
        return denoise_array(noisy, denoise_into)
    if isinstance(noisy, PillowImage.Image):
        return denoise_pil(noisy, denoise_into)
    raise UsageError(
        f"{type(noisy).__name__} object",
        "not an image",
        "give a path, bytes, a Pillow image or a NumPy array",
    )
