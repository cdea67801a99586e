"""Folders of photos as one archive: decoded and shuffled once for many trainings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

# It lies among the runs, outside the repository: licenses of the photos forbid to pass them on.
FOLDER = Path("runs/reproduce/packed")
_SEED = 20261124


def pack_photos(
    name: str,
    root: Path,
    sources: Mapping[str, Sequence[str]],
    side: tuple[int, int],
    channels: int,
) -> str:
    """Packs photos, cut to one size, unless that was done before.

    Args:
        name: The archive's name.
        root: The data folder.
        sources: Folders of photos below it, by the arrays that they become. The photos of an
            array are shuffled, as folders are often sorted by what they show.
        side: Height and width that is cut out of their center; photos that are higher than wide
            are turned first if this is wider than high.
        channels: 3 for color, 1 for gray.

    Returns:
        The archive as a recipe names it, relative to the working folder, without an array's name.
    """
    from kerasdenoise.data.sources import list_images, load_images

    file = FOLDER / f"{name}.npz"
    folders = {array: [root / source for source in each] for array, each in sources.items()}
    listed = {array: [path.name for path in list_images(each)] for array, each in folders.items()}
    if not file.exists() or not _holds(file, listed):
        arrays = {}
        for array, each in sources.items():
            photos = [_cut(photo, side) for photo in load_images(each, root, channels=channels)]
            order = np.random.default_rng(_SEED).permutation(len(photos))
            arrays[array] = np.stack([photos[index] for index in order])
            arrays[f"{array}_files"] = np.array(listed[array])
        FOLDER.mkdir(parents=True, exist_ok=True)
        temporary = FOLDER / f".{name}_{os.getpid()}.npz"
        np.savez(temporary, **arrays)
        temporary.replace(file)
    return file.as_posix()


def _holds(file: Path, listed: Mapping[str, Sequence[str]]) -> bool:
    with np.load(file) as archive:
        return all(
            f"{array}_files" in archive.files and archive[f"{array}_files"].tolist() == names
            for array, names in listed.items()
        )


def _cut(photo: np.ndarray, side: tuple[int, int]) -> np.ndarray:
    if (side[1] > side[0]) != (photo.shape[1] > photo.shape[0]) and side[0] != side[1]:
        photo = np.rot90(photo)
    top, left = ((have - want) // 2 for have, want in zip(photo.shape[:2], side, strict=True))
    return photo[top : top + side[0], left : left + side[1]]
