"""Arrays and Pillow images in the caller's own type <-> pixels of the road."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from kerasdenoise.errors import UsageError
from kerasdenoise.inference.samples import check_type

# From values (H, W, 1 or 3) of any of these types to an array of the same shape and type; and which
# pixels are hidden, (H, W) of bool or None.
DenoiseInto = Callable[[np.ndarray, np.ndarray, np.ndarray | None], None]

_PIL_MODES = ("L", "LA", "RGB", "RGBA", "I;16")


def denoise_array(
    noisy: np.ndarray, denoise: DenoiseInto, alpha: np.ndarray | None = None
) -> np.ndarray:
    """Denoises an array of any supported type.

    Only a tile of it is float32 at a time.

    Args:
        noisy: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), the fourth channel being alpha,
            which is copied. Of type uint8 or uint16, on their whole range, or float16,
            float32 or float64, nominally on [0, 1].
        denoise: Writes the denoised values of its first argument to its second.
        alpha: (H, W), where it is not the fourth channel; None for none.

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
            "not an image's shape",
            "give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)",
        )
    denoised = noisy.copy()
    values, results = (
        (array[..., np.newaxis] if array.ndim == 2 else array)[..., :3]
        for array in (noisy, denoised)
    )
    if noisy.ndim == 3 and noisy.shape[2] == 4:
        alpha = noisy[..., 3]
    denoise(values, results, None if alpha is None else alpha == 0)
    return denoised


def denoise_pil(noisy: Image.Image, denoise: DenoiseInto) -> Image.Image:
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
        raise UsageError(
            f"image of mode {noisy.mode}", "this mode is not supported", 'use .convert("RGB")'
        )
    if "transparency" in noisy.info:
        # Denoising changes every color, so that none would be the transparent one.
        raise UsageError(
            f"image of mode {noisy.mode}", "it has a transparent color", 'use .convert("RGBA")'
        )
    pixels = np.asarray(noisy)
    if noisy.mode == "LA":
        color = denoise_array(pixels[..., 0], denoise, pixels[..., 1])
        denoised = Image.merge(
            "LA", (Image.fromarray(color), Image.fromarray(np.ascontiguousarray(pixels[..., 1])))
        )
    else:
        denoised = Image.fromarray(denoise_array(pixels, denoise))
    denoised.info = dict(noisy.info)
    return denoised
