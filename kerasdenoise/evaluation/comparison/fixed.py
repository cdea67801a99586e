"""Denoising by a file that takes images of one size only."""

from __future__ import annotations

import itertools

import numpy as np

from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.inference.tiles import reflect
from kerasdenoise.zoo import ModelInfo


class FixedDenoiser:
    """Denoises images of any size in tiles of the one that a file takes, as an app does.

    Args:
        info: The model, of which `litert_path` is the file.
        shape: Height and width that the file takes.
        threads: Threads to use; all usable cores by default.
    """

    def __init__(self, info: ModelInfo, shape: tuple[int, int], threads: int | None = None) -> None:
        self._engine = LiteRTEngine(info.litert_path, threads)
        self._shape = shape
        self._halo = -(-info.radius // info.stride) * info.stride

    @property
    def has_interior(self) -> bool:
        """Whether some pixel of a tile sees no edge of it."""
        return min(self._shape) > 2 * self._halo

    def denoise_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Denoises an image.

        Args:
            pixels: Float32 (H, W, channels of the model).

        Returns:
            Float32 of the same shape, not clipped.
        """
        denoised = np.empty_like(pixels)
        halo, sides = self._halo, pixels.shape[:2]
        interior = [size - 2 * halo for size in self._shape]
        starts = [range(0, side, step) for side, step in zip(sides, interior, strict=True)]
        for corner in itertools.product(*starts):
            read = (
                reflect(range(start - halo, start + step + halo), side)
                for start, step, side in zip(corner, interior, sides, strict=True)
            )
            noisy = pixels[np.ix_(*read)][np.newaxis]
            (result,) = self._engine({"noisy": noisy}).values()
            place = tuple(
                slice(start, start + step) for start, step in zip(corner, interior, strict=True)
            )
            rows, columns = denoised[place].shape[:2]
            denoised[place] = result[0, halo : halo + rows, halo : halo + columns]
        return denoised
