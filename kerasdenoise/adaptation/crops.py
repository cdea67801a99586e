"""Cuts noisy photos into crops: those to learn from, and those to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from kerasdenoise.errors import UsageError
from kerasdenoise.files import write_by
from kerasdenoise.pixels import to_pixels

# Largest side of a crop, and the multiple that all sides are of; what networks' strides divide.
_SIDE = 256
_MULTIPLE = 16
_SMALLEST = 64

# How many crops there are at most. 400 of 256 pixels take 80 MB in 8 bits.
_TO_LEARN = 400
_TO_JUDGE = 16

# One photo of so many is judged by, and of a single photo this share of its rows.
_EVERY = 5
_SHARE = 1 / 4


class Scene(Protocol):
    """What crops are cut out of: a photo, or several of one scene.

    Attributes:
        versions: How many images stand in the channels of what `read` returns, one behind another.
    """

    versions: ClassVar[int]

    @property
    def file(self) -> Path:
        """What errors name."""
        ...

    @property
    def bit_depth(self) -> int:
        """Bits per sample."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one version."""
        ...

    def read(self, *, judged: bool = False) -> list[np.ndarray]:
        """Reads arrays (height, width, versions * channels), to learn from or to judge by."""
        ...


class Crops(NamedTuple):
    """Crops of one side, (crops, side, side, versions * channels), in the photos' type.

    Attributes:
        learned: To learn from.
        held_out: To judge by; never of the same place as one of the others.
    """

    learned: np.ndarray
    held_out: np.ndarray


def cut_crops(photos: Sequence[Scene], channels: int, seed: int) -> Crops:
    """Cuts crops at random places.

    Args:
        photos: The photos or scenes, which are read one at a time. Of several, every fifth is held
            out, or the last of fewer; of a single one, its lower quarter.
        channels: Of the network. Gray photos become three equal channels for a network of three;
            for a network of one, each channel of a color photo is a photo.
        seed: Seed of the places.

    Returns:
        The crops: uint8 if all photos are of 8 bits, else float32.

    Raises:
        UsageError: The photos are too small.
    """
    held_out = set(range(_EVERY - 1, len(photos), _EVERY)) or {len(photos) - 1}
    is_single = len(photos) == 1
    sides = [min(photo.shape[:2]) for photo in photos]
    if is_single:
        sides.append(int(photos[0].shape[0] * _SHARE))
    # Several from each photo, if that leaves them large enough.
    side = min(_SIDE, max(_SMALLEST, min(sides) // 2 // _MULTIPLE * _MULTIPLE))
    if side > min(sides):
        raise UsageError(
            photos[sides.index(min(sides))].file if not is_single else photos[0].file,
            f"leaves crops of {min(sides)} pixels, less than {_SMALLEST}",
            "give a larger photo, or more of them",
        )
    is_exact = all(photo.bit_depth == 8 for photo in photos)
    rng = np.random.default_rng(seed)
    crops: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    counts = (
        -(-_TO_LEARN // max(1, len(photos) - len(held_out))),
        -(-_TO_JUDGE // len(held_out)),
    )
    for index, photo in enumerate(photos):
        split = round(photo.shape[0] * (1 - _SHARE))
        rows = (slice(split), slice(split, None)) if is_single else (slice(None),) * 2
        for purpose in (0, 1) if is_single else (int(index in held_out),):
            arrays = photo.read(judged=bool(purpose))
            count = -(-counts[purpose] // len(arrays))
            for array in arrays:
                part = array[rows[purpose]] if is_exact else to_pixels(array[rows[purpose]])
                crops[purpose].extend(_cut(part, photo.versions, side, count, channels, rng))
    if len(crops[1]) < 2:
        raise UsageError(
            photos[-1].file.parent,
            f"leaves one crop of {side} pixels to judge by, which may be chance",
            "give larger photos, or more of them",
        )
    learned, judged = (np.stack(each) for each in crops)
    return Crops(learned[:_TO_LEARN], judged[:_TO_JUDGE])


def _cut(
    pixels: np.ndarray,
    versions: int,
    side: int,
    count: int,
    channels: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    # Cells of a grid that lies anywhere: what overlaps would count twice.
    rows, columns = (length // side for length in pixels.shape[:2])
    top, left = (int(rng.integers(length % side + 1)) for length in pixels.shape[:2])
    cuts = []
    for cell in rng.permutation(rows * columns)[:count].tolist():
        row, column = divmod(cell, columns)
        y, x = top + side * row, left + side * column
        crop = pixels[y : y + side, x : x + side].reshape(side, side, versions, -1)
        if channels == 3:
            shape = (side, side, versions, 3)
            cuts.append(np.broadcast_to(crop, shape).reshape(side, side, -1))
        else:
            cuts += [crop[..., i] for i in range(crop.shape[3])]
    return cuts


def write_crops(path: Path, crops: Crops) -> None:
    """Writes crops as an archive whose arrays recipes name `learned` and `held_out`.

    Raises:
        OutputError: It cannot be written.
    """
    write_by(path, lambda file: np.savez(file, **crops._asdict()), option="--run")


def read_crops(path: Path) -> Crops:
    """Reads what `write_crops` wrote.

    Raises:
        UsageError: It is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return Crops(arrays["learned"], arrays["held_out"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise UsageError(
            path, f"cannot be read ({error})", "give another folder with --run"
        ) from error
