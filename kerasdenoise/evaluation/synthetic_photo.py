"""A noisy photo of any size, made up, to measure time and memory with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kerasdenoise.evaluation.noisy_sets import SIGMA


def make_noisy(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Makes smooth color with white noise of 25/255.

    Args:
        height: Rows.
        width: Pixels in a row.
        seed: Of the noise; it moves the colors as well.

    Returns:
        uint8 (height, width, 3).
    """
    rng = np.random.default_rng(seed)
    pixels = np.empty((height, width, 3), np.uint8)
    columns = np.linspace(0, 6 * np.pi, width, dtype=np.float32)[None, :, None]
    columns = columns + np.arange(seed, seed + 3, dtype=np.float32)
    for top in range(0, height, 64):  # in bands, of which the noise takes little memory
        band = pixels[top : top + 64]
        rows = np.arange(top, top + len(band), dtype=np.float32)[:, None, None] / 300
        noise = np.float32(255 * SIGMA) * rng.standard_normal(band.shape, np.float32)
        band[:] = (127 + 90 * np.sin(columns) * np.cos(rows) + noise).clip(0, 255)
    return pixels


def write_noisy(
    path: Path, height: int, width: int, seed: int = 0, channels: int = 3, **options: Any
) -> None:
    """Writes such a photo.

    Args:
        path: The file to write; its suffix decides the format, TIFF is not compressed.
        height: Rows.
        width: Pixels in a row.
        seed: As of `make_noisy`.
        channels: 3 for color, 1 for gray.
        **options: How Pillow codes it, as `quality=92`.
    """
    pixels = make_noisy(height, width, seed)
    if channels == 1:
        pixels = pixels[..., 0]
    if path.suffix == ".tif":
        import tifffile

        tifffile.imwrite(path, pixels, photometric="rgb" if channels == 3 else "minisblack")
    else:
        Image.fromarray(pixels).save(path, **options)
