"""Processes an image tile by tile, and halves tiles that do not fit into memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal

import numpy as np

from kerasdenoise.errors import InputError
from kerasdenoise.inference.engines import TileError
from kerasdenoise.inference.tiles import AUTO_BYTES, Tile, TileGrid, halve, reflect, tile_grid
from kerasdenoise.inference.tone import REACH, tile_stride
from kerasdenoise.pixels import to_pixels
from kerasdenoise.runtime import free_memory
from kerasdenoise.zoo import ModelInfo

# Bytes per pixel of a tile in addition to the model's: several float32 images.
_BESIDE = 80
# Additional bytes per pixel to find detail.
_MIXING_BYTES = 80

# Larger tiles waste less on their halos. A tile takes up to this share of the free memory. Together
# with an 8-bit image, before and after, it takes at most these bytes, so that the whole process
# stays below 2 GB.
_FREE_SHARE = 1 / 6
_TOGETHER = 1_600_000_000


class Tiling:
    """Cuts a model's images into tiles. After a tile that does not fit, later ones are smaller.

    Args:
        info: The model.
        tile: Largest height and width of a tile in pixels, overlap included, or "auto".
        max_memory: Most bytes of the work on a tile; see `tiles.tile_grid`.

    Raises:
        UsageError: The tile or the memory is too small for the model.
    """

    def __init__(
        self, info: ModelInfo, tile: int | Literal["auto"], max_memory: int | None
    ) -> None:
        self._info = info
        self._tile: int | Literal["auto"] = tile
        self._max_memory = max_memory
        # Asked once: a grid must not change between two calls.
        self._spare = int((free_memory() or 0) * _FREE_SHARE)
        # The tone step sees further than the model, and has its own grid.
        self._radius = info.radius + (REACH if info.keeps_tone else 0)
        self._stride = tile_stride(info.stride, keeps_tone=info.keeps_tone)
        self._too_large = sys.maxsize  # area of the smallest tile that did not fit into memory
        self.grid(1, 1)

    def grid(self, height: int, width: int, margin: int = 0) -> TileGrid:
        """Lays tiles over an image of this size.

        Args:
            height: Rows of the image.
            width: Columns of the image.
            margin: How many pixels around each tile's place must be valid as well.

        Raises:
            UsageError: The tile or the memory is too small for the model and the margin.
        """
        return tile_grid(
            height,
            width,
            tile=self._tile,
            radius=self._radius + margin,
            stride=self._stride,
            bytes_per_pixel=self._bytes(margin),
            max_memory=self._max_memory,
            auto_bytes=max(AUTO_BYTES, min(self._spare, _TOGETHER - 6 * height * width)),
        )

    def run(
        self,
        pixels: np.ndarray,
        work: Callable[[Tile, np.ndarray], None],
        name: object,
        on_tile: Callable[[], None] | None = None,
        margin: int = 0,
    ) -> None:
        """Calls a function with each tile of an image and the pixels that it reads.

        Args:
            pixels: (H, W, C) of any type of `input_checks.DTYPES`.
            work: Called with the tile and its float32 pixels. If memory runs out, it is called
                again with smaller tiles instead.
            name: The image's name in errors.
            on_tile: Called after each tile of the grid.
            margin: How many pixels around each tile's place must be valid as well.

        Raises:
            InputError: Even the smallest tile does not fit into memory.
            ModelError: The model cannot run even on the smallest tile.
        """
        height, width = pixels.shape[:2]
        grid = self.grid(height, width, margin)
        largest = 0  # area of the largest tile of this image that fitted
        for tile in grid.tiles:
            waiting = [tile]
            while waiting:
                part = waiting.pop()
                halves = halve(part, grid.halo, self._stride)
                if halves and part.area >= self._too_large:
                    waiting += halves
                    continue
                try:
                    if part.area > largest:
                        self._reserve(part.area, margin)
                    work(part, to_pixels(_read(pixels, part)))
                except (MemoryError, TileError) as error:
                    if not halves and isinstance(error, TileError):
                        raise
                    if not halves:
                        raise no_memory(name) from error
                    self._too_large = part.area
                    waiting += halves
                else:
                    largest = max(largest, part.area)
            if on_tile is not None:
                on_tile()

    def _reserve(self, area: int, margin: int) -> None:
        """Allocates the memory of a tile, and frees it again.

        LiteRT does not always notice a failed allocation, and then crashes the process.
        """
        np.empty((self._bytes(margin) + _BESIDE) * area, np.uint8)

    def _bytes(self, margin: int) -> int:
        return self._info.bytes_per_pixel + (_MIXING_BYTES if margin else 0)


def _read(pixels: np.ndarray, tile: Tile) -> np.ndarray:
    """Returns the pixels that a tile reads; a view if it is inside the image."""
    sides = list(zip(tile.read, pixels.shape, strict=False))
    if all(axis.start >= 0 and axis.stop <= size for axis, size in sides):
        return pixels[tuple(slice(axis.start, axis.stop) for axis, _ in sides)]
    return pixels[np.ix_(*(reflect(axis, size) for axis, size in sides))]


def no_memory(name: object) -> InputError:
    """Returns the error of an image that does not fit into memory."""
    return InputError(
        name, "does not fit into memory, even tile by tile", "free some memory, or crop it"
    )
