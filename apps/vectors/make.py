"""Writes what the apps' own arithmetic is tested against, made by that of the package.

- `tiles.json`: `kerasdenoise.inference.tiles`, on images and tiles of several sizes. All ranges are
  [start, stop), rows before columns.
- `tone.json`: `kerasdenoise.inference.tone.keep_tone`, on square tiles. Pixels are row by row, red,
  green and blue, of 0 to 255.
- `hidden.json`: `kerasdenoise.inference.outliers.fill`, on pixels with alpha, of which some is 0.
- `mix.json`: `kerasdenoise.inference.mix`, on small images of 8 bits, where the level of the noise
  is unknown.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from kerasdenoise.inference.mix import mix
from kerasdenoise.inference.outliers import fill
from kerasdenoise.inference.settings import DenoiseSettings

# The package fits tiles to an image; models for phones take one size of tile, which `_lay` lays.
from kerasdenoise.inference.tiles import Tile, TileGrid, _lay, reflect, tile_grid
from kerasdenoise.inference.tone import keep_tone

FOLDER = Path(__file__).parent

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

# (edge, rows and columns inside the image, deviation of the noise, tint): all of a tile, a corner
# of an image with noise like a dither's, and a picture so small that tone is kept in several steps.
_TONES = (
    (48, ((0, 48), (0, 48)), 8, (3, -2, 6)),
    (48, ((13, 48), (0, 45)), 90, (-9, 30, 4)),
    (32, ((8, 13), (8, 25)), 30, (-2, 40, -80)),
)
# (height, width), smaller than what detail looks at, and larger.
_SIZES = ((5, 9), (30, 26))
# (strength, luma, chroma, detail)
_MIXTURES = (
    (1.0, 1.0, 1.0, 0.0),
    (0.6, 1.0, 1.0, 0.0),
    (0.8, 0.3, 1.0, 0.0),
    (1.0, 1.0, 0.25, 0.0),
    (1.0, 1.0, 1.0, 1.0),
    (0.7, 0.6, 0.0, 0.5),
)


def _make_mixtures() -> list[dict[str, Any]]:
    """Makes images, each mixed in several ways."""
    rng = np.random.default_rng(0)
    images = []
    for height, width in _SIZES:
        noisy = rng.normal(128, 20, (height, width, 3)).clip(0, 255).round()
        noisy[height // 2, ::2] = 250  # detail
        denoised = rng.normal(128, 2, (height, width, 3)).clip(0, 255).round()
        mixtures = [
            {
                "strength": strength,
                "luma": luma,
                "chroma": chroma,
                "detail": detail,
                "mixed": _mix(noisy, denoised, DenoiseSettings(strength, luma, chroma, detail)),
            }
            for strength, luma, chroma, detail in _MIXTURES
        ]
        pixels = {"noisy": _flatten(noisy), "denoised": _flatten(denoised)}
        images.append({"width": width, "height": height, **pixels, "mixtures": mixtures})
    return images


def _mix(noisy: np.ndarray, denoised: np.ndarray, settings: DenoiseSettings) -> list[int]:
    margin = settings.margin
    places = (reflect(range(-margin, size + margin), size) for size in noisy.shape[:2])
    around = np.ix_(*places)
    noisy, denoised = ((each[around] / 255).astype(np.float32) for each in (noisy, denoised))
    return _flatten(255 * mix(noisy, denoised, denoised, settings))


def _flatten(pixels: np.ndarray) -> list[int]:
    return pixels.clip(0, 255).round().astype(int).ravel().tolist()


# (height, width, rows and columns that are hidden).
_HIDDEN = (
    (3, 5, ((1, 2), (2, 4))),
    (9, 13, ((0, 9), (2, 13))),
    (17, 1, ((3, 16), (0, 1))),
)


def make_vectors() -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Returns the content of each file, by its name: lists of cases."""
    return {
        "tiles.json": {
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
        },
        "tone.json": {"tone": [_keep(*case) for case in _TONES]},
        "hidden.json": {"hidden": [_fill(*case) for case in _HIDDEN]},
        "mix.json": {"images": _make_mixtures()},
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
        "tiles": [_describe_tile(tile, height, width) for tile in grid.tiles],
    }


def _describe_tile(tile: Tile, height: int, width: int) -> dict[str, list[list[int]]]:
    parts = {
        "read": tile.read,
        "inside": tile.inside(height, width),
        "keep": tile.keep,
        "place": tile.place,
    }
    return {part: [[axis.start, axis.stop] for axis in axes] for part, axes in parts.items()}


def _keep(
    edge: int, inside: tuple[tuple[int, int], ...], deviation: float, tint: tuple[int, ...]
) -> dict[str, Any]:
    """Takes a tint from a ramp of gray that was noisy, from beyond black to beyond white."""
    ramp = np.linspace(-20, 275, edge)[:, np.newaxis, np.newaxis] + np.zeros((edge, edge, 3))
    noise = np.random.default_rng(0).normal(0, deviation, (edge, edge, 3))
    noisy = np.clip(np.rint(ramp + noise), 0, 255)
    denoised = np.rint(ramp + tint)
    rows, columns = (slice(*axis) for axis in inside)
    expected = 255 * keep_tone(
        np.float32(noisy / 255), np.float32(denoised / 255), (rows, columns), bounded=True
    )
    return {
        "edge": edge,
        "inside": [list(axis) for axis in inside],
        "noisy": noisy.astype(int).ravel().tolist(),
        "denoised": denoised.astype(int).ravel().tolist(),
        "expected": expected.astype(float).round(2).ravel().tolist(),
    }


def _fill(height: int, width: int, hidden: tuple[tuple[int, int], ...]) -> dict[str, Any]:
    pixels = np.random.default_rng(0).integers(1, 256, (height, width, 4), np.uint8)
    rows, columns = (slice(*axis) for axis in hidden)
    pixels[rows, columns, 3] = 0
    return {
        "height": height,
        "width": width,
        "pixels": pixels.ravel().tolist(),
        "expected": fill(pixels[..., :3], pixels[..., 3] == 0).ravel().tolist(),
    }


def main() -> None:
    """Writes the files, a line for each case."""
    for name, content in make_vectors().items():
        sections = []
        for section, cases in content.items():
            lines = ",\n".join(json.dumps(case) for case in cases)
            sections.append(f"{json.dumps(section)}: [\n{lines}\n]")
        (FOLDER / name).write_text("{\n" + ",\n".join(sections) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
