"""Where clean images come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.errors import RecipeError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def list_images(folders: Iterable[Path]) -> list[Path]:
    """Lists the image files below folders, sorted by name within each.

    Raises:
        RecipeError: If a folder is missing or holds no image.
    """
    files: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise RecipeError(folder, "is not a folder", "point the recipe's data at photos")
        found = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES)
        if not found:
            raise RecipeError(folder, "holds no image", f"known suffixes: {' '.join(SUFFIXES)}")
        files += found
    return files


def load_photos(
    files: Sequence[Path], scales: Sequence[float] = (1.0,), smallest: int = 0
) -> list[np.ndarray]:
    """Decodes photos into memory.

    Args:
        files: Image files.
        scales: Each photo is kept once at each of these sizes, relative to its own; a reduced
            photo has finer structure and less noise of its own.
        smallest: Versions with a side shorter than this are left out.

    Returns:
        uint8 RGB arrays (height, width, 3).
    """
    photos = []
    for file in files:
        with PillowImage.open(file) as picture:
            full = picture.convert("RGB")
        for scale in scales:
            size = (round(full.width * scale), round(full.height * scale))
            if min(size) < smallest:
                continue
            version = full if scale == 1.0 else full.resize(size, PillowImage.Resampling.LANCZOS)
            photos.append(np.asarray(version))
    return photos
