"""Where to cut an image into tiles so that the seams are exactly nothing.

Pure geometry. A tile is read with a halo of at least the model's radius on every side, and
only what lies inside the halo is kept: no kept pixel can see the tile's edge, so the tiles
together equal the image processed whole. Beyond the image's borders a tile reads reflected
pixels, by index, so that no padded copy of the image is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Literal

import numpy as np

from kerasdenoise.errors import UsageError
from kerasdenoise.runtime import memory_text

# Edge of the largest interior that "auto" chooses, where tiles are square: `photo` has a halo of
# 160 pixels, which costs 72 % of extra work around 1024 pixels, and 34 % around 2048.
AUTO_INTERIOR = 2048
# What "auto" lets a tile take of memory, unless more is known to be free.
AUTO_BYTES = 640_000_000
# Edge of a part that statistics are taken from. A model that takes much memory for a pixel says
# less; it is no one's choice, so that the result does not depend on the tiles.
PART = 1024


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
        """The rows and columns of the tile that lie in the image, of this size."""
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
        tile: Largest edge of a tile in pixels, halo included, or "auto": the tiling with the
            least work whose tiles hold no more than `AUTO_INTERIOR` squared pixels inside
            their halo, and take no more memory than is allowed.
        radius: How far the model sees, in pixels.
        stride: What the model wants tile edges to be a multiple of.
        bytes_per_pixel: What the model takes of memory for each pixel of a tile.
        max_memory: Bytes that a tile may take. If None, `auto_bytes` for "auto", unless the
            smallest tile takes more, and no limit for a given edge.
        auto_bytes: What "auto" lets a tile take where no limit is given.

    Returns:
        The grid. Tiles are no larger than the image and its halo need, and equal-sized.

    Raises:
        UsageError: A tile of this size, or one that the memory allows, has no interior.
    """
    halo = _round_up(radius, stride)
    smallest = bytes_per_pixel * (2 * halo + stride) ** 2
    if max_memory is not None and max_memory < smallest:
        raise UsageError(
            f"max_memory {memory_text(max_memory)}",
            "too little for the smallest tile of this model",
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
                f"too small for this model, which sees {radius} pixels in every direction",
                f"use {2 * halo + stride} or more, or auto",
            )
        interior = (_balance(height, largest, stride), _balance(width, largest, stride))
    return _lay(height, width, interior=interior, halo=halo)


def halve(tile: Tile, halo: int, stride: int) -> list[Tile]:
    """Cuts a tile across its longer side into two smaller ones for the same place.

    Args:
        tile: The tile.
        halo: Pixels on each side of it that are read but not kept.
        stride: What the model wants tile edges to be a multiple of.

    Returns:
        The halves, of which one may be enough at the image's borders; none if there is no
        smaller tile.
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
    """Cuts an image into parts that do not overlap, to take statistics of the whole image from.

    Args:
        height: Rows of the image, at least 1.
        width: Columns of the image, at least 1.
        stride: What the model wants edges to be a multiple of.
        edge: Edge of a part, rounded up to the stride.

    Returns:
        Rows and columns of each part. Together
        they are the image, and what it lacks to a multiple of the stride, each pixel once.
    """
    rows, columns = (
        [range(start, min(start + part, end)) for start in range(0, end, part)]
        for part, end in (
            (_round_up(edge, stride), _round_up(size, stride)) for size in (height, width)
        )
    )
    return [(row, column) for row in rows for column in columns]


def fit_part(bytes_per_pixel: int) -> int:
    """Finds the edge of a part, up to `PART`, that takes no more memory than `AUTO_BYTES`.

    Args:
        bytes_per_pixel: What taking statistics takes of memory for each pixel of a part.
    """
    return min(PART, max(64, int((AUTO_BYTES / bytes_per_pixel) ** 0.5) // 64 * 64))


def reflect(positions: range, size: int) -> np.ndarray:
    """Maps positions inside and outside an axis to positions on it, by reflection.

    The edge pixel is not repeated (… 2 1 0 1 2 …), and a position that is further away than
    the axis is long is reflected again, as by `np.pad(mode="reflect")`.

    Args:
        positions: Consecutive positions, of which any may be negative or beyond `size`.
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


_Cut = tuple[range, slice, slice]


def _cross(rows: list[_Cut], columns: list[_Cut]) -> list[Tile]:
    return [
        Tile(read=(row[0], column[0]), keep=(row[1], column[1]), place=(row[2], column[2]))
        for row in rows
        for column in columns
    ]


def _cut(span: range, interior: int, halo: int) -> list[_Cut]:
    """Cuts a part of an axis: for each tile what to read, to keep and where to place it."""
    cuts = []
    for start in range(span.start, span.stop, interior):
        stop = min(start + interior, span.stop)
        read = range(start - halo, start + interior + halo)
        cuts.append((read, slice(halo, halo + stop - start), slice(start, stop)))
    return cuts
