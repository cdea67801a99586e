"""Mixes noisy and denoised pixels by strength, luma, chroma, detail and grain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasdenoise.inference.settings import DETAIL_MARGIN, DenoiseSettings

# Of red, green and blue, by ITU-R BT.601, as JPEG and Pillow have it.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# The cubic spline of the à trous wavelet transform (Starck and Murtagh, 1994).
_SPLINE = tuple(np.float32(tap) / 16 for tap in (1, 4, 6, 4, 1))
_NEAR, _WIDE = 7, 31  # sizes in pixels of the windows over which energy is averaged

# Energy in each band of luma noise of variance 1: least for white noise, and most in the real pairs
# of Sony and Canon cameras, whose noise is smoothed by demosaicing.
_LEAST, _MOST = (0.793, 0.040), (1.19, 0.49)
# Energy up to this many times the mean of noise counts as noise, in a window of `_NEAR`.
_DOUBT = np.float32(1.5)


def mix(
    noisy: np.ndarray,
    for_luma: np.ndarray,
    for_chroma: np.ndarray,
    settings: DenoiseSettings,
    level: np.ndarray | None = None,
) -> np.ndarray:
    """Mixes an image and a model's results for it.

    Args:
        noisy: Float32 (H + 2M, W + 2M, 1 or 3), with M = `settings.margin` extra pixels on each
            side.
        for_luma: Float32 of the same shape: the result for luma. If its strength is above 1, the
            model has already applied it.
        for_chroma: As `for_luma`, for chroma; the same array if both share one result.
        settings: How much of the difference to apply, and how much to restore.
        level: Standard deviation of the noise on the [0, 1] scale, (H + 2M, W + 2M), for
            `detail`; None if unknown.

    Returns:
        Float32 (H, W, 1 or 3), not clipped.
    """
    margin = settings.margin
    inner = slice(margin, -margin or None)
    luma, chroma = settings.luma_strength, settings.chroma_strength
    if luma == chroma or noisy.shape[2] == 1:
        mixed = blend(noisy, for_luma, luma)[inner, inner]
    else:
        change = _luma(for_luma - noisy)
        color = for_chroma - noisy
        color = color - _luma(color)
        mixed = (noisy + _share(luma) * change + _share(chroma) * color)[inner, inner]
    if margin:
        lost = find_detail(_luma(noisy - for_luma)[..., 0], level, noisy.shape[2])
        mixed = mixed + (np.float32(settings.detail) * _share(luma) * lost)[..., np.newaxis]
    return add_grain(noisy[inner, inner], mixed, settings.keep_grain)


def blend(noisy: np.ndarray, denoised: np.ndarray, strength: float) -> np.ndarray:
    """Blends noisy and denoised pixels.

    Args:
        noisy: Float32 pixels of any shape.
        denoised: Float32 pixels of the same shape.
        strength: 0 gives `noisy` and 1 gives `denoised`, both exactly. Above 1, the model has
            already applied it.

    Returns:
        Float32 pixels, not clipped.
    """
    if strength == 0.0:
        return noisy
    if strength >= 1.0:
        return denoised
    return noisy + np.float32(strength) * (denoised - noisy)


def find_detail(removed: np.ndarray, level: np.ndarray | None, channels: int) -> np.ndarray:
    """Finds removed luma detail: what is stronger than noise explains.

    In each band of a wavelet transform, a coefficient is kept in proportion to how far its local
    energy exceeds that of noise: the energy in a wider window, within the limits for the level.

    Args:
        removed: Luma of noisy minus denoised, float32, with `DETAIL_MARGIN` extra pixels on each
            side.
        level: Standard deviation of the noise, of the same shape; None if unknown.
        channels: Channels of the image, 1 or 3; the noise of three partly cancels in their luma.

    Returns:
        Detail to add to each channel, float32.
    """
    inner = slice(DETAIL_MARGIN, -DETAIL_MARGIN)
    share = 1.0 if channels == 1 else float(_LUMA @ _LUMA)
    detail = np.zeros_like(removed[inner, inner])
    smooth, step = removed, 1
    for least, most in zip(_LEAST, _MOST, strict=True):
        finer, smooth = smooth, _convolve(smooth, _SPLINE, step)
        band = _crop(finer, smooth.shape) - smooth
        step *= 2
        energy = _crop(np.square(band), _grown(detail.shape, _WIDE))
        noise = _convolve(energy, (np.float32(1 / _WIDE),) * _WIDE)
        if level is not None:
            variance = np.float32(share) * np.square(level[inner, inner])
            noise = np.clip(noise, np.float32(least) * variance, np.float32(most) * variance)
        near = _crop(energy, _grown(detail.shape, _NEAR))
        near = _convolve(near, (np.float32(1 / _NEAR),) * _NEAR)
        # Without energy, there is nothing to keep.
        gain = 1 - _DOUBT * noise / np.maximum(near, np.float32(1e-12))
        detail += np.maximum(gain, 0) * _crop(band, detail.shape)
    return detail


def add_grain(noisy: np.ndarray, denoised: np.ndarray, amount: float) -> np.ndarray:
    """Restores a share of the luma noise, the same in all channels, and no color noise.

    Args:
        noisy: Float32 (H, W, 1 or 3).
        denoised: Float32 of the same shape.
        amount: 0 gives `denoised`, exactly; 1 restores all luma noise, which for a gray image is
            all noise.

    Returns:
        Float32 of the same shape, not clipped.
    """
    if amount == 0.0:
        return denoised
    return denoised + np.float32(amount) * _luma(noisy - denoised)


def _share(strength: float) -> np.float32:
    """The share of a result to apply; the part above 1 is already in the result."""
    return np.float32(min(strength, 1.0))


def _luma(pixels: np.ndarray) -> np.ndarray:
    """The luma of (H, W, 3), as (H, W, 1); gray pixels are returned as they are."""
    return pixels if pixels.shape[2] == 1 else (pixels @ _LUMA)[..., np.newaxis]


def _convolve(image: np.ndarray, taps: Sequence[np.float32], step: int = 1) -> np.ndarray:
    """Convolves both axes with symmetric taps, `step` pixels apart, where all taps fit.

    Taps are summed one by one, so that a pixel's result is the same in every tile.
    """
    for _ in range(2):
        size = len(image) - (len(taps) - 1) * step
        rows = (tap * image[at * step : at * step + size] for at, tap in enumerate(taps))
        total = next(rows)
        for row in rows:
            total += row
        image = total.T
    return image


def _grown(shape: Sequence[int], window: int) -> tuple[int, ...]:
    return tuple(size + window - 1 for size in shape)


def _crop(image: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The middle of an image."""
    margins = [(size - wanted) // 2 for size, wanted in zip(image.shape, shape, strict=True)]
    return image[tuple(slice(each, each + n) for each, n in zip(margins, shape, strict=True))]
