"""Several photos of the same scene: whether they are, aligned, and as pairs to learn from."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from kerasdenoise.adaptation.survey import Photo, Survey, measure_photo
from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.images.refusal import RefusedError, import_extra
from kerasdenoise.pixels import to_pixels

# Means of so many pixels a side have little noise: by them it is judged what is the same scene.
_BLOCK = 16
_SAME = 0.8

# Photos are aligned by their middle, and by structure of this size in pixels: finer is noise, and
# coarser is hardly changed by a shift.
_MIDDLE = 1024
_FINE, _COARSE = 1, 6

# How far photos may be shifted, as a share of their smaller side, and by which part of a pixel
# they may be off after they were shifted by whole ones. Shifted by less, pixels would be mixed, and
# their noise with them.
_FARTHEST = 1 / 8
_PART = 0.35

# By which share the brightness of photos of a scene may differ.
_BRIGHTER = 0.03

# Two exposures differ by the noise of both. Where they differ by less than this share of it, they
# have noise in common.
_COMMON = 0.7

# A photo with less than this share of the other's finest detail is clean. The estimated level of
# the noise would mistake texture for noise.
_CLEAN = 0.5

# So many exposures give a mean that is worth a test.
_FEW = 3


@dataclass(frozen=True)
class Exposures:
    """Photos of one scene, the first of which the others are aligned with.

    Attributes:
        photos: At least two.
        shifts: By how many pixels down and across each shows the scene farther than the first.
        is_clean: Whether the second, of two, has hardly any noise, and is only a target.
    """

    versions: ClassVar[int] = 2

    photos: tuple[Photo, ...]
    shifts: tuple[tuple[int, int], ...]
    is_clean: bool = False

    @property
    def file(self) -> Path:
        """The first photo."""
        return self.photos[0].file

    @property
    def bit_depth(self) -> int:
        """The largest of all."""
        return max(photo.bit_depth for photo in self.photos)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the part that all show."""
        height, width, channels = self.photos[0].shape
        down, across = (np.ptp(each) for each in zip(*self.shifts, strict=True))
        return height - int(down), width - int(across), channels

    def read(self, *, judged: bool = False) -> list[np.ndarray]:
        """Reads arrays (height, width, 2 * channels): a photo, and behind it its target.

        Targets are the next exposure and the one before, or a clean photo. To judge by, they are
        the robust mean of all other exposures, if there are enough.
        """
        aligned = self._read_aligned()
        if self.is_clean:
            return [np.concatenate(aligned, axis=2)]
        if judged and len(aligned) > _FEW:
            return [
                np.concatenate([each, _average(aligned[:i] + aligned[i + 1 :])], axis=2)
                for i, each in enumerate(aligned)
            ]
        near = itertools.pairwise(aligned)
        return [np.concatenate(pair, axis=2) for a, b in near for pair in ((a, b), (b, a))]

    def _read_aligned(self) -> list[np.ndarray]:
        pixels = [photo.read()[0] for photo in self.photos]
        if len({each.dtype for each in pixels}) > 1:
            pixels = [to_pixels(each) for each in pixels]
        height, width, _ = self.shape
        least = np.min(self.shifts, axis=0)
        corners = (np.array(self.shifts) - least).tolist()
        return [
            each[top : top + height, left : left + width]
            for each, (top, left) in zip(pixels, corners, strict=True)
        ]


def _average(exposures: list[np.ndarray]) -> np.ndarray:
    """Averages without the largest and the smallest value of each pixel: something may move."""
    first = exposures[0]
    values = np.sort(np.stack(exposures), axis=0)
    mean = values[1:-1].mean(axis=0) if len(exposures) > 2 else values.mean(axis=0)
    return np.rint(mean).astype(first.dtype) if first.dtype.kind == "u" else mean.astype("f4")


def pair_up(survey: Survey, targets: Mapping[Path, Path]) -> tuple[list[Exposures], list[str]]:
    """Pairs photos with others of the same scene, which are clean or noisy.

    Args:
        survey: The noisy photos.
        targets: The file that each is compared with, by its own.

    Returns:
        The pairs, and why others are left out, in words.

    Raises:
        UsageError: No pair can be used, or there is no library that aligns.
    """
    pairs, left_out = [], []
    for photo in survey.photos:
        try:
            target = measure_photo(targets[photo.file], photo.page)
            shift = _align(photo, target)
        except InputError as error:
            left_out.append(str(error))
            continue
        is_clean = _measure_fine(target) < _CLEAN * _measure_fine(photo)
        pairs.append(Exposures((photo, target), ((0, 0), shift), is_clean))
    if not pairs:
        raise UsageError(
            "--pairs",
            f"has no pair that fits together ({left_out[0]})",
            "give photos of the same scenes, of the same size and brightness, from a tripod",
        )
    return pairs, left_out


def find_bursts(survey: Survey) -> tuple[list[Exposures], list[str]]:
    """Finds exposures of the same scene among photos that follow each other.

    Args:
        survey: The photos, in order.

    Returns:
        The bursts, and what is strange about them, in words.

    Raises:
        UsageError: No two photos show the same scene, or there is no library that aligns.
    """
    bursts: list[Exposures] = []
    notes: list[str] = []
    current: list[tuple[Photo, tuple[int, int]]] = []

    def finish() -> None:
        if len(current) > 1:
            bursts.append(Exposures(*map(tuple, zip(*current, strict=True))))  # pyright: ignore
        elif current:
            notes.append(f"{current[0][0].file}: neither neighbor shows the same scene")

    for photo in survey.photos:
        try:
            if current:
                current.append((photo, _align(current[0][0], photo)))
                continue
        except InputError as error:
            why = str(error)
            if len(current) > 1:
                notes.append(f"a new scene: {why}")
            finish()
        current = [(photo, (0, 0))]
    finish()
    if not bursts:
        raise UsageError(
            survey.photos[0].file.parent,
            f"holds no two photos of one scene that follow each other ({notes[0]})",
            "give bursts from a tripod, or leave out --method burst",
        )
    if _have_common_noise(bursts[0], survey.sigma):
        notes.append(
            f"{bursts[0].file} and the next exposure differ by less than their noise: what they "
            "have in common, as hot pixels and columns, cannot be learned"
        )
    return bursts, notes


def _have_common_noise(burst: Exposures, sigma: float) -> bool:
    pixels = to_pixels(burst.read()[0]).astype(np.float64)
    first, second = np.split(pixels, 2, axis=2)
    return float(np.median(np.abs(first - second))) / 0.6745 < _COMMON * sigma * np.sqrt(2)


def _align(first: Photo, second: Photo) -> tuple[int, int]:
    """Finds by how many pixels the second photo shows the first one's scene farther down and right.

    Raises:
        InputError: It shows another scene, has another size or brightness, or lies between pixels.
        UsageError: The library is missing.
    """
    if first.shape != second.shape:
        raise InputError(
            second.file,
            f"has {second.shape} rows, columns and channels, and {first.file.name} {first.shape}",
            "give photos of one size",
        )
    pixels = [to_pixels(photo.read()[0]).mean(axis=2) for photo in (first, second)]
    exact = _find_shift(*pixels)
    shift = np.rint(exact).astype(int)
    if np.abs(shift).max() > _FARTHEST * min(first.shape[:2]):
        raise _another(second, first)
    down, across = shift.tolist()
    parts = [
        each[max(0, s * down) :, max(0, s * across) :]
        for s, each in zip((-1, 1), pixels, strict=True)
    ]
    height, width = (min(sides) for sides in zip(*(part.shape for part in parts), strict=True))
    parts = [part[:height, :width] for part in parts]
    means = [_reduce(part) for part in parts]
    if np.corrcoef(np.stack([each.ravel() for each in means]))[0, 1] < _SAME:
        raise _another(second, first)
    brightness = [float(part.mean()) for part in parts]
    if abs(brightness[1] - brightness[0]) > _BRIGHTER * max(brightness):
        raise InputError(
            second.file,
            f"is {brightness[1] / brightness[0]:.2f} times as bright as {first.file.name}",
            "give photos of equal exposure",
        )
    part = float(np.abs(exact - shift).max())
    if part > _PART:
        raise InputError(
            second.file,
            f"is shifted from {first.file.name} by a fraction of a pixel ({part:.1f})",
            "give photos from a tripod",
        )
    return down, across


def _find_shift(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Finds by how many pixels, in tenths, the second shows the scene farther down and right."""
    try:
        filters, registration = (
            import_extra(f"skimage.{part}", "adapt") for part in ("filters", "registration")
        )
    except RefusedError as error:
        raise UsageError("aligning photos", error.cause, error.remedy) from error
    top, left = (max(0, (side - _MIDDLE) // 2) for side in first.shape)
    middles = (each[top : top + _MIDDLE, left : left + _MIDDLE] for each in (first, second))
    fine = [filters.difference_of_gaussians(each, _FINE, _COARSE) for each in middles]
    found, _, _ = registration.phase_cross_correlation(
        # What enters or leaves at the borders would count otherwise.
        *(each * filters.window("hann", each.shape) for each in fine),
        upsample_factor=10,
        normalization=None,
    )
    # The library says how to move the second onto the first.
    return -np.asarray(found, float)


def _another(photo: Photo, first: Photo) -> InputError:
    cause = f"shows another scene than {first.file.name}"
    return InputError(photo.file, cause, "give photos of the same scene")


def _measure_fine(photo: Photo) -> float:
    """Measures the finest diagonal detail, which is mostly noise; a median."""
    pixels = to_pixels(photo.read()[0])
    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    rows = pixels[:height:2] - pixels[1:height:2]
    return float(np.median(np.abs(rows[:, :width:2] - rows[:, 1:width:2])))


def _reduce(pixels: np.ndarray) -> np.ndarray:
    rows, columns = (side // _BLOCK for side in pixels.shape)
    blocks = pixels[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return blocks.mean(axis=(1, 3))
