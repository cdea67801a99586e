"""Writes `tiles.json`: what the apps' own tiling is tested against.

It is `kerasdenoise.inference.tiles`, run on images and tiles of several sizes. All ranges are
[start, stop), rows before columns.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# The package fits tiles to an image; models for phones take one size of tile, which `_lay` lays.
from kerasdenoise.inference.tiles import Tile, TileGrid, _lay, reflect, tile_grid

TARGET = Path(__file__).with_name("tiles.json")

# (height, width, largest tile, radius, stride): one tile, several, sides that are not multiples of
# anything, a halo wider than the image, no halo at all.
_GRIDS = (
    (1, 1, 64, 4, 2),
    (17, 23, 64, 4, 2),
    (40, 56, 32, 4, 2),
    (5, 300, 96, 20, 8),
    (48, 48, 16, 0, 1),
    (123, 77, 50, 7, 4),
    (700, 900, 768, 67, 8),
    (3000, 4000, 768, 67, 8),
)
# (height, width, tile, halo), as of files for phones: an image smaller than a tile, or than what is
# kept of one, and larger ones.
_FIXED = ((1, 1, 256, 56), (90, 200, 256, 88), (180, 240, 256, 56), (700, 900, 512, 88))
_AXES = ((-7, 7, 1), (-9, 12, 2), (-5, 10, 5), (-20, 40, 7), (0, 6, 6))


def make_vectors() -> dict[str, list[dict[str, Any]]]:
    """Returns the content of `tiles.json`: `reflect` and `grids`."""
    return {
        "reflect": [
            {
                "start": start,
                "stop": stop,
                "size": size,
                "indices": reflect(range(start, stop), size).tolist(),
            }
            for start, stop, size in _AXES
        ],
        "grids": [
            *(_describe_grid(*case[:2], _fit(*case)) for case in _GRIDS),
            *(_describe_grid(*case[:2], _lay_fixed(*case)) for case in _FIXED),
        ],
    }


def _fit(height: int, width: int, tile: int, radius: int, stride: int) -> TileGrid:
    return tile_grid(height, width, tile=tile, radius=radius, stride=stride)


def _lay_fixed(height: int, width: int, tile: int, halo: int) -> TileGrid:
    interior = tile - 2 * halo
    return _lay(height, width, interior=(interior, interior), halo=halo)


def _describe_grid(height: int, width: int, grid: TileGrid) -> dict[str, Any]:
    return {
        "height": height,
        "width": width,
        "interior": [size - 2 * grid.halo for size in grid.tile_size],
        "halo": grid.halo,
        "tiles": [_describe_tile(tile) for tile in grid.tiles],
    }


def _describe_tile(tile: Tile) -> dict[str, list[list[int]]]:
    return {
        part: [[axis.start, axis.stop] for axis in getattr(tile, part)]
        for part in ("read", "keep", "place")
    }


def main() -> None:
    """Writes the file, a line for each case."""
    sections = []
    for name, cases in make_vectors().items():
        lines = ",\n".join(json.dumps(case) for case in cases)
        sections.append(f"{json.dumps(name)}: [\n{lines}\n]")
    TARGET.write_text("{\n" + ",\n".join(sections) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
