"""The images that the papers' experiments are trained and measured on."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasdenoise.data.sources import DATA_VARIABLE, data_folder

CIFAR10 = "cifar10/cifar10_lossless_subset.npz"
ALL_OF_CIFAR10 = "tfds:cifar10"


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
