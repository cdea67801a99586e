"""Cuts an image into tiles without any visible or measurable seams, and processes each.

A tile is read with a halo of at least the radius of the model on every side, and only the part
inside the halo is kept. No kept pixel can see the edge of the tile, so the tiles together equal the
image processed as a whole. Beyond the borders of the image a tile reads reflected pixels by index,
without a padded copy of the image. Tiles that do not fit into memory are halved.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import Literal

import numpy as np

from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.inference.processes import TileError
from kerasdenoise.inference.tone import REACH, tile_stride
from kerasdenoise.pixels import to_pixels
from kerasdenoise.runtime import free_memory, memory_text
from kerasdenoise.zoo import ModelInfo

# Size of the largest interior that "auto" chooses, for square tiles. The halo of `photo` is 160
# pixels, which costs 72 % of extra work around 1024 pixels, and 34 % around 2048.
AUTO_INTERIOR = 2048
# Most bytes of a tile for "auto", unless more memory is known to be free.
AUTO_BYTES = 640_000_000
# Size of the parts for statistics. A model that needs much memory per pixel sets a smaller one.
# Users cannot change it, so that the result does not depend on the tiles.
PART = 1024

_Cut = tuple[range, slice, slice]

# Bytes per pixel of a tile in addition to the model's: several float32 images.
_BESIDE = 80
# Additional bytes per pixel to find detail.
_MIXING_BYTES = 80

# Larger tiles waste less on their halos. A tile takes up to this share of the free memory. Together
# with an 8-bit image, before and after, it takes at most these bytes, so that the whole process
# stays below 2 GB.
_FREE_SHARE = 1 / 6
_TOGETHER = 1_600_000_000


@dataclass(frozen=True)
class Tile:
    """One tile: what to read, which part of the result to keep, and where to put it.

    Attributes:
        read: Rows and columns of the image to read; those below 0 or beyond the image's
            size are reflected (see `reflect`).
        keep: Rows and columns of the tile's result that are valid.
        place: Where these go in the image.
    """

    read: tuple[range, range]
    keep: tuple[slice, slice]
    place: tuple[slice, slice]

    @property
    def area(self) -> int:
        """How many pixels are read."""
        return len(self.read[0]) * len(self.read[1])

    def inside(self, height: int, width: int) -> tuple[slice, slice]:
        """The rows and columns of the tile inside an image of this size."""
        rows, columns = (
            slice(max(-axis.start, 0), min(axis.stop, size) - axis.start)
            for axis, size in zip(self.read, (height, width), strict=True)
        )
        return rows, columns


@dataclass(frozen=True)
class TileGrid:
    """Tiles of one size that cover an image, each pixel once.

    Attributes:
        tile_size: Height and width of every tile, halo included; multiples of the stride.
        halo: Pixels on each side of a tile that are read but not kept.
        tiles: The tiles, row by row.
    """

    tile_size: tuple[int, int]
    halo: int
    tiles: tuple[Tile, ...]


def tile_grid(
    height: int,
    width: int,
    *,
    tile: int | Literal["auto"],
    radius: int,
    stride: int,
    bytes_per_pixel: int = 1,
    max_memory: int | None = None,
    auto_bytes: int = AUTO_BYTES,
) -> TileGrid:
    """Lays tiles of one size over an image.

    Args:
        height: Rows of the image, at least 1.
        width: Columns of the image, at least 1.
        tile: Largest height and width of a tile in pixels, halo included, or "auto": the tiling
            with the least work whose tiles have at most `AUTO_INTERIOR` squared pixels inside
            their halo, and fit into the allowed memory.
        radius: How far the model sees, in pixels.
        stride: The model's stride; tile sizes are multiples of it.
        bytes_per_pixel: The model's memory for each pixel of a tile.
        max_memory: Most bytes of a tile. If None, `auto_bytes` for "auto", unless the smallest
            tile takes more, and no limit for a given size.
        auto_bytes: Most bytes of a tile for "auto" without a limit.

    Returns:
        The grid. Tiles have equal sizes, and are no larger than the image and its halo need.

    Raises:
        UsageError: A tile of this size, or one that fits into the memory, has no interior.
    """
    halo = _round_up(radius, stride)
    smallest = bytes_per_pixel * (2 * halo + stride) ** 2
    if max_memory is not None and max_memory < smallest:
        raise UsageError(
            f"max_memory {memory_text(max_memory)}",
            "is too little for the smallest tile of this model",
            f"give {memory_text(smallest)} or more",
        )
    if tile == "auto":
        affordable = (auto_bytes if max_memory is None else max_memory) // bytes_per_pixel
        interior = _auto_interior(height, width, halo, stride, affordable)
    else:
        edge = tile if max_memory is None else min(tile, isqrt(max_memory // bytes_per_pixel))
        largest = edge // stride * stride - 2 * halo
        if largest < stride:
            raise UsageError(
                f"tile {tile}",
                f"is too small for this model, which sees {radius} pixels in every direction",
                f"use {2 * halo + stride} or more, or auto",
            )
        interior = (_balance(height, largest, stride), _balance(width, largest, stride))
    return _lay(height, width, interior=interior, halo=halo)


def halve(tile: Tile, halo: int, stride: int) -> list[Tile]:
    """Splits a tile across its longer side into two smaller ones for the same place.

    Args:
        tile: The tile.
        halo: Pixels on each side of it that are read but not kept.
        stride: The model's stride; tile sizes are multiples of it.

    Returns:
        The halves. One may be enough at the image's borders; none if there is no smaller tile.
    """
    interior = [len(axis) - 2 * halo for axis in tile.read]
    longer = 0 if interior[0] > interior[1] else 1
    if interior[longer] <= stride:
        return []
    interior[longer] = _round_up(interior[longer] // 2, stride)
    rows, columns = (
        _cut(range(place.start, place.stop), edge, halo)
        for place, edge in zip(tile.place, interior, strict=True)
    )
    return _cross(rows, columns)


def cut_parts(height: int, width: int, stride: int, edge: int = PART) -> list[tuple[range, range]]:
    """Cuts an image into non-overlapping parts, for statistics of the whole image.

    Args:
        height: Rows of the image, at least 1.
        width: Columns of the image, at least 1.
        stride: The model's stride; part sizes are multiples of it.
        edge: Height and width of a part, rounded up to the stride.

    Returns:
        Rows and columns of each part. Together they cover the image, padded to a multiple of the
        stride, with each pixel once.
    """
    rows, columns = (
        [range(start, min(start + part, end)) for start in range(0, end, part)]
        for part, end in (
            (_round_up(edge, stride), _round_up(size, stride)) for size in (height, width)
        )
    )
    return [(row, column) for row in rows for column in columns]


def fit_part(bytes_per_pixel: int) -> int:
    """Finds the size of a part, up to `PART`, that fits into `AUTO_BYTES`.

    Args:
        bytes_per_pixel: Memory of the statistics for each pixel of a part.
    """
    return min(PART, max(64, int((AUTO_BYTES / bytes_per_pixel) ** 0.5) // 64 * 64))


def reflect(positions: range, size: int) -> np.ndarray:
    """Maps positions inside and outside an axis to positions on it, by reflection.

    The edge pixel is not repeated (… 2 1 0 1 2 …). A position further away than the length of the
    axis is reflected again, as in `np.pad(mode="reflect")`.

    Args:
        positions: Consecutive positions, which may be negative or beyond `size`.
        size: Length of the axis, at least 1; an axis of 1 repeats its only pixel.

    Returns:
        Indices in [0, size), as many as there are positions.
    """
    period = max(2 * (size - 1), 1)
    folded = np.arange(positions.start, positions.stop) % period
    return np.minimum(folded, period - folded) if size > 1 else np.zeros_like(folded)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _balance(size: int, largest: int, stride: int) -> int:
    """The smallest interior that covers an axis with as few tiles as `largest` does."""
    return _round_up(-(-size // -(-size // largest)), stride)


def _auto_interior(
    height: int, width: int, halo: int, stride: int, affordable: int
) -> tuple[int, int]:
    limit = min((AUTO_INTERIOR + 2 * halo) ** 2, affordable)
    limit = max(limit, (stride + 2 * halo) ** 2)  # there is no smaller tile
    fewest, least = None, (0, 0)
    for rows in range(1, -(-height // stride) + 1):
        tall = _round_up(-(-height // rows), stride)
        widest = limit // (tall + 2 * halo) // stride * stride - 2 * halo
        if widest < stride:
            continue
        wide = _balance(width, widest, stride)
        work = -(-height // tall) * (tall + 2 * halo) * -(-width // wide) * (wide + 2 * halo)
        if fewest is None or work < fewest:
            fewest, least = work, (tall, wide)
    return least


def _lay(height: int, width: int, *, interior: tuple[int, int], halo: int) -> TileGrid:
    rows = _cut(range(height), interior[0], halo)
    columns = _cut(range(width), interior[1], halo)
    tiles = tuple(_cross(rows, columns))
    return TileGrid((interior[0] + 2 * halo, interior[1] + 2 * halo), halo, tiles)


def _cross(rows: list[_Cut], columns: list[_Cut]) -> list[Tile]:
    return [
        Tile(read=(row[0], column[0]), keep=(row[1], column[1]), place=(row[2], column[2]))
        for row in rows
        for column in columns
    ]


def _cut(span: range, interior: int, halo: int) -> list[_Cut]:
    """Cuts a part of an axis: what each tile reads, what it keeps, and where that goes."""
    cuts = []
    for start in range(span.start, span.stop, interior):
        stop = min(start + interior, span.stop)
        read = range(start - halo, start + interior + halo)
        cuts.append((read, slice(halo, halo + stop - start), slice(start, stop)))
    return cuts


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
            pixels: (H, W, C) of any type of `image_types.DTYPES`.
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
        name, "does not fit into memory, even in tiles", "free some memory, or crop it"
    )
