"""Checks an image that is a file, bytes, a Pillow image or an array, and returns its type."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.images.image import Image
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image, write_image
from kerasdenoise.inference.tiles import no_memory
from kerasdenoise.paths.plan import plan_jobs
from kerasdenoise.pixels import to_pixels

_PIL_MODES = ("L", "LA", "RGB", "RGBA", "I;16")

# Writes the denoised values of one array to another, a copy of it; both (H, W, 1 or 3) of any of
# `DTYPES`. Takes `hidden`, the transparent pixels, and `name`, its name in errors.
DenoiseInto = Callable[..., None]

DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
"""The types: unsigned integers use their whole range, floats nominally [0, 1]."""

# Values are checked in bands of about this many, so that no second copy is made.
_BAND = 2**20


def denoise_any(
    noisy: Any,
    denoise: DenoiseInto,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
) -> Any:
    """Denoises an image of any type that `Denoiser` accepts; see there.

    Args:
        noisy: The image.
        denoise: What denoises its pixels.
        output: For a path only: the file or folder to write to.
        overwrite: For a path only: replace an existing file.

    Returns:
        The path of the written file, or the denoised image in the given type.

    Raises:
        InputError: The image cannot be read, has values that are not finite, or does not fit
            into memory.
        OutputError: The result cannot be written.
        UsageError: The result's file exists, the type of `noisy` is unknown, or `output` is given
            without a path.
    """
    if isinstance(noisy, str | os.PathLike):
        (job,) = plan_jobs([Path(noisy)], output, overwrite=overwrite).jobs
        denoised = denoise_image(read_image(job.source, exact=True), denoise, job.source)
        write_image(denoised, job.target, replaces=job.replaces, like=job.source)
        return str(job.target) if isinstance(noisy, str) else job.target
    if output is not None:
        raise UsageError(f"output {output}", "needs an image given as a path", "leave it out")
    if isinstance(noisy, bytes):
        return encode_image(denoise_image(read_image(noisy, exact=True), denoise))
    if isinstance(noisy, np.ndarray):
        return _denoise_array(noisy, denoise)
    if isinstance(noisy, PillowImage.Image):
        return _denoise_pil(noisy, denoise)
    raise UsageError(
        f"{type(noisy).__name__} object",
        "is not an image",
        "give a path, bytes, a Pillow image or a NumPy array",
    )


def denoise_image(noisy: Image, denoise: DenoiseInto, name: object = "image") -> Image:
    """Denoises the pixels of an image, and keeps everything else.

    Args:
        noisy: The image.
        denoise: What denoises its pixels.
        name: The image's name in errors.

    Raises:
        InputError: The image has values that are not finite, or does not fit into memory.
    """
    try:
        denoised = noisy.pixels.copy()
    except MemoryError as error:
        raise no_memory(name) from error
    hidden = None if noisy.alpha is None else noisy.alpha == 0
    denoise(noisy.pixels, denoised, hidden=hidden, name=name)
    return noisy.with_pixels(denoised)


def _denoise_array(
    noisy: np.ndarray, denoise: DenoiseInto, alpha: np.ndarray | None = None
) -> np.ndarray:
    """Denoises an array of any supported type.

    Only one tile at a time is float32.

    Args:
        noisy: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), whose fourth channel is alpha, which
            is copied. uint8 or uint16 on their whole range, or float16, float32 or float64,
            nominally in [0, 1].
        denoise: Writes the denoised values of its first argument to its second.
        alpha: (H, W), if it is not the fourth channel; None for none.

    Returns:
        An array of the same shape and type. Integers are rounded and clipped to their
        range; floats are not clipped, and are computed in float32.

    Raises:
        UsageError: The array has another type or shape.
    """
    check_type(noisy)
    if not (noisy.ndim == 2 or (noisy.ndim == 3 and noisy.shape[2] in (1, 3, 4))) or not noisy.size:
        raise UsageError(
            f"array of shape {noisy.shape}",
            "is not the shape of an image",
            "give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)",
        )
    denoised = noisy.copy()
    values, results = (
        (array[..., np.newaxis] if array.ndim == 2 else array)[..., :3]
        for array in (noisy, denoised)
    )
    if noisy.ndim == 3 and noisy.shape[2] == 4:
        alpha = noisy[..., 3]
    denoise(values, results, hidden=None if alpha is None else alpha == 0)
    return denoised


def _denoise_pil(noisy: PillowImage.Image, denoise: DenoiseInto) -> PillowImage.Image:
    """Denoises a Pillow image.

    Args:
        noisy: An image of mode L, LA, RGB, RGBA or I;16.
        denoise: Writes the denoised values of its first argument to its second.

    Returns:
        A new image of the same mode, size and `info`.

    Raises:
        UsageError: The image has another mode, or a transparent color.
    """
    if noisy.mode not in _PIL_MODES:
        raise UsageError(f"image of mode {noisy.mode}", "is not supported", 'use .convert("RGB")')
    if "transparency" in noisy.info:
        # Denoising changes every color, so none would stay the transparent one.
        raise UsageError(
            f"image of mode {noisy.mode}", "has a transparent color", 'use .convert("RGBA")'
        )
    pixels = np.asarray(noisy)
    if noisy.mode == "LA":
        color = _denoise_array(pixels[..., 0], denoise, pixels[..., 1])
        denoised = PillowImage.merge(
            "LA",
            (
                PillowImage.fromarray(color),
                PillowImage.fromarray(np.ascontiguousarray(pixels[..., 1])),
            ),
        )
    else:
        denoised = PillowImage.fromarray(_denoise_array(pixels, denoise))
    denoised.info = dict(noisy.info)
    return denoised


def check_type(values: np.ndarray) -> None:
    """Rejects arrays of other types, whose values could mean anything.

    Raises:
        UsageError: The type is none of `DTYPES`.
    """
    if values.dtype.name not in DTYPES:
        raise UsageError(
            f"array of {values.dtype}", "is not supported", f"convert it to {', '.join(DTYPES)}"
        )


def check_pixels(values: np.ndarray) -> None:
    """Rejects arrays that are not (H, W, 1 or 3) of a type in `DTYPES`.

    Raises:
        UsageError: The array was rejected.
    """
    check_type(values)
    if values.ndim != 3 or values.shape[2] not in (1, 3) or not values.size:
        raise UsageError(
            f"array of shape {values.shape}", "is not an image", "give (H, W, 1) or (H, W, 3)"
        )


def check_finite(values: np.ndarray, name: object) -> None:
    """Rejects values that are not finite as float32.

    Args:
        values: (H, W, C) of any type in `DTYPES`.
        name: The image's name in errors.

    Raises:
        InputError: A value is not finite.
    """
    if values.dtype.kind == "u":
        return
    rows = max(1, _BAND // (values.shape[1] * values.shape[2]))
    for top in range(0, len(values), rows):
        with np.errstate(over="ignore"):  # a float64 beyond float32 is found below
            band = to_pixels(values[top : top + rows])
        if not np.isfinite(band).all():
            cause = "has values that are not finite (NaN or infinity)"
            raise InputError(name, cause, "replace them")
