"""Writes `tiles.json`: what the apps' own tiling is tested against.

It is `kerasdenoise.inference.tiles`, run on images and tiles of several sizes. All ranges are
[start, stop), rows before columns.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kerasdenoise.inference.tiles import Tile, reflect, tile_grid

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
        "grids": [_describe_grid(*grid) for grid in _GRIDS],
    }


def _describe_grid(height: int, width: int, tile: int, radius: int, stride: int) -> dict[str, Any]:
    grid = tile_grid(height, width, tile=tile, radius=radius, stride=stride)
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
