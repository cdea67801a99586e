"""A model's network with nothing around it: what denoising takes at least."""

from __future__ import annotations

import numpy as np

from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.inference.network import merge_context
from kerasdenoise.inference.tiles import tile_grid
from kerasdenoise.zoo import ModelInfo

_SIGMA = 25 / 255


class NetworkAlone:
    """Runs the files of a model on one array: no tiles, no checks, no other types.

    Args:
        info: The model.
        threads: Threads to use; all usable cores by default.
    """

    def __init__(self, info: ModelInfo, threads: int | None = None) -> None:
        self._info = info
        self._tile = LiteRTEngine(info.tile_path, threads)
        self._context = LiteRTEngine(info.context_path, threads) if info.context_path else None
        self._level = LiteRTEngine(info.level_path, threads) if info.level_path else None

    def __call__(self, noisy: np.ndarray) -> np.ndarray:
        """Denoises an array as if it were a whole image.

        Args:
            noisy: Float32 (1, H, W, channels of the model), sides multiples of its stride.

        Returns:
            Float32 of the same shape.
        """
        inputs = {"noisy": noisy}
        if self._info.takes_noise_level:
            inputs["noise_level"] = np.full((*noisy.shape[:3], 1), _SIGMA, np.float32)
        if self._context is not None:
            inputs |= merge_context((self._context(inputs),))
        if self._level is not None:
            inputs["noise_level"] = next(iter(self._level(inputs).values()))
        return next(iter(self._tile(inputs).values()))


def tile_of(info: ModelInfo, height: int, width: int) -> tuple[int, int]:
    """The height and width of the tiles in which an image is denoised."""
    return tile_grid(
        height,
        width,
        tile="auto",
        radius=info.radius,
        stride=info.stride,
        bytes_per_pixel=info.bytes_per_pixel,
    ).tile_size
