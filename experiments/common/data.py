"""The images that the papers' experiments are trained and measured on."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasdenoise.data.sources import DATA_VARIABLE, data_folder

CIFAR10 = "cifar10/cifar10_lossless_subset.npz"
ALL_OF_CIFAR10 = "tfds:cifar10"

# It lies among the runs, outside the repository: licenses of the photos forbid to pass them on.
FOLDER = Path("runs/reproduce/packed")
_SEED = 20261124


@dataclass(frozen=True)
class Data:
    """Clean images, and how a recipe uses them.

    Attributes:
        root: Folder that the sources are relative to.
        train: The source of what is trained on, as a recipe names it: an array or a split.
        first: Where its training images begin, in percent; those before are for validation.
        test: Sources of what is measured, which training never sees and nothing is chosen by.
        note: What they are, beside figures: which part of what the paper had.
        patch: Side in pixels of what a network is trained on.
        margin: Extra pixels around it; see the recipe's section `data`.
        crop: Side of the test images, cut out of their center.
        channels: 3 for color, 1 for gray.
    """

    root: Path
    train: str
    test: tuple[str, ...]
    note: str
    first: int = 1
    patch: int = 32
    margin: int = 0
    crop: int = 32
    channels: int = 3

    def part(self, percent: int = 100) -> str:
        """Names so many of the training images, or all of them."""
        stop = self.first + percent
        return f"{self.train}[{self.first}%:{f'{stop}%' if stop < 100 else ''}]"

    @property
    def validation(self) -> str:
        """Names the images by which progress is measured."""
        return f"{self.train}[:{self.first}%]"

    def load_test(self, limit: int | None = None) -> np.ndarray:
        """Loads the first test images: float32 (images, crop, crop, channels) in [0, 1]."""
        from kerasdenoise.data.sources import load_images

        images = load_images(self.test, self.root, channels=self.channels, smallest=self.crop)
        return np.stack([self._center(image) for image in images[:limit]]) / np.float32(255)

    def _center(self, image: np.ndarray) -> np.ndarray:
        top, left = ((side - self.crop) // 2 for side in image.shape[:2])
        return image[top : top + self.crop, left : left + self.crop]


def find_cifar10(root: Path) -> Data:
    """Finds CIFAR-10: the part in the data folder if it is there, else all of it.

    Args:
        root: The data folder.
    """
    if not (root / CIFAR10).exists():
        return Data(root, f"{ALL_OF_CIFAR10}:train", (f"{ALL_OF_CIFAR10}:test",), "all of CIFAR-10")
    with np.load(root / CIFAR10) as archive:
        train, test = (len(archive[name]) for name in ("train_index", "test_index"))
    note = (
        f"a part of CIFAR-10: {train:,} of its 50,000 training images, {test:,} of its 10,000 test "
        "images"
    )
    return Data(root, f"{CIFAR10}:x_train", (f"{CIFAR10}:x_test",), note)


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Adds the option `--data` to the command line of an experiment."""
    parser.add_argument(
        "--data",
        type=Path,
        default=data_folder(),
        metavar="FOLDER",
        help=f"folder of data sets; by default ${DATA_VARIABLE}, or else data",
    )


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
