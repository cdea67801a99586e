"""What a folder of noisy photos is like: how many, of which cameras, with which noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.images.camera import read_shot
from kerasdenoise.images.read import list_pages, read_image
from kerasdenoise.inference.noise_estimate import BLOCK, estimate_correlation, estimate_sigma
from kerasdenoise.noise.own import Reach

Kind = Literal["white", "correlated", "lines", "unknown"]
"""How noise is spread: each pixel by itself, shared by neighbors, shared by rows or columns, or
farther than is measured."""

# Only the middle of large photos is measured, and only so many of a large folder.
_MIDDLE = 1024
MOST_PHOTOS = 64

# From this correlation on, noise counts as shared; the estimate of white noise stays below.
_SHARED = 0.15
# Noise of this level is that of a clean photo, on the [0, 1] scale.
_CLEAN = 0.7 / 255


@dataclass(frozen=True)
class Photo:
    """A photo that can be read.

    Attributes:
        file: The file.
        camera: Make and model, if the file has them.
        format: A key of `images.formats.FORMATS`.
        bit_depth: Bits per sample.
        shape: Height, width and channels.
        sigma: Standard deviation of the noise, on the [0, 1] scale.
        correlation: See `estimate_correlation`.
        clipped: Share of the values that are black or white.
        page: Which page of its file it is; None if there is only one.
    """

    versions: ClassVar[int] = 1

    file: Path
    camera: str | None
    format: str
    bit_depth: int
    shape: tuple[int, int, int]
    sigma: float
    correlation: np.ndarray
    clipped: float
    page: int | None = None

    def read(self, *, judged: bool = False) -> list[np.ndarray]:
        """Reads its pixels (height, width, channels), in the file's own type where that can be."""
        del judged
        return [read_image(self.file, exact=True, page=self.page).pixels]


@dataclass(frozen=True)
class Survey:
    """What was found in a folder.

    Attributes:
        photos: Those that can be used.
        skipped: The errors of the others.
    """

    photos: tuple[Photo, ...]
    skipped: tuple[InputError, ...] = ()

    @property
    def cameras(self) -> Counter[str]:
        """How many photos are of each known camera."""
        return Counter(photo.camera for photo in self.photos if photo.camera)

    @property
    def sigma(self) -> float:
        """The median level of the noise, on the [0, 1] scale."""
        return float(np.median([photo.sigma for photo in self.photos]))

    @property
    def is_clean(self) -> bool:
        """Whether there is no noise to learn from."""
        return self.sigma < _CLEAN

    @property
    def _shared(self) -> tuple[int, int]:
        typical = np.median([photo.correlation for photo in self.photos], axis=0)
        down, across = (_first(axis < _SHARED) for axis in typical)
        return down, across

    @property
    def reach(self) -> Reach:
        """Over how many pixels down and across noise is shared; None for a column or a row."""
        if self.kind != "lines":
            return self._shared
        return (None, 0) if self._shared[0] else (0, None)

    @property
    def noise(self) -> str:
        """What recipes call the noise; see `noise.Own`."""
        if self.kind == "lines":
            return "own:columns" if self._shared[0] else "own:rows"
        return f"own:{max(self._shared)}" if max(self._shared) else "own"

    @property
    def kind(self) -> Kind:
        """How the noise is spread."""
        near, far = sorted(self._shared)
        if far == 0:
            return "white"
        lags = self.photos[0].correlation.shape[1]
        if far == lags:
            return "lines" if near == 0 else "unknown"
        return "correlated"

    def describe_count(self) -> str:
        """Says how many photos there are."""
        return "1 photo" if len(self.photos) == 1 else f"{len(self.photos)} photos"

    def describe(self) -> list[str]:
        """Says it in lines of text."""
        first = self.photos[0]
        sizes = {photo.shape[:2] for photo in self.photos}
        size = f"{first.shape[1]} x {first.shape[0]} pixels" if len(sizes) == 1 else "several sizes"
        depths = "/".join(str(each) for each in sorted({p.bit_depth for p in self.photos}))
        formats = "/".join(sorted({photo.format for photo in self.photos}))
        cameras = ", ".join(f"{camera} ({n})" for camera, n in self.cameras.most_common())
        clipped = float(np.mean([photo.clipped for photo in self.photos]))
        return [
            f"{self.describe_count()}, {size}, {formats}, {depths} bits",
            f"camera: {cameras or 'unknown'}",
            f"noise: {255 * self.sigma:.3g}/255, {self.describe_kind()}",
            f"clipped: {clipped:.1%} of the values are black or white",
        ]

    def describe_kind(self) -> str:
        """Says how the noise is spread."""
        down, across = self._shared
        if self.kind == "white":
            return "independent from pixel to pixel"
        if self.kind == "lines":
            return f"shared by the pixels of a {'column' if down else 'row'}"
        far = max(down, across)
        more = " and farther" if self.kind == "unknown" else ""
        return f"shared by pixels up to {far} apart{more}"


def survey_photos(
    files: Sequence[Path],
    *,
    camera: str | None = None,
    follow_on: bool = False,
    on_photo: Callable[[], None] = lambda: None,
) -> Survey:
    """Reads and measures photos, at most `MOST_PHOTOS` of them, evenly chosen.

    Args:
        files: The photos. Each page of a TIFF file is one.
        camera: Photos of other cameras are left out; "all" for none, None to reject a mixture.
        follow_on: Whether the first are chosen of a large folder, as those of a burst follow each
            other.
        on_photo: Called after each photo.

    Raises:
        UsageError: None can be used, they have no noise, or they are of several cameras.
    """
    photos, skipped, pages = [], [], []
    for file in files:
        try:
            pages += [(file, page) for page in list_pages(file)]
        except InputError as error:
            skipped.append(error)
    step = 1 if follow_on else -(-len(pages) // MOST_PHOTOS) or 1
    chosen = pages[::step][:MOST_PHOTOS]
    for file, page in chosen:
        try:
            photos.append(measure_photo(file, page))
        except InputError as error:
            skipped.append(error)
        on_photo()
    survey = Survey(tuple(photos), tuple(skipped))
    if not photos:
        cause = f"none of {len(skipped)} photos can be used ({skipped[0].cause})"
        raise UsageError(files[0].parent, cause, skipped[0].remedy)
    cameras = survey.cameras
    if camera not in (None, "all"):
        kept = tuple(photo for photo in photos if photo.camera == camera)
        if not kept:
            known = ", ".join(cameras) or "none names its camera"
            raise UsageError(f"--camera {camera}", "took none of the photos", f"known: {known}")
        survey = Survey(kept, survey.skipped)
    elif camera is None and len(cameras) > 1:
        raise UsageError(
            files[0].parent,
            f"holds photos of {len(cameras)} cameras ({', '.join(cameras)}), with noise of each",
            f"choose one with --camera '{cameras.most_common(1)[0][0]}', or give --camera all",
        )
    if survey.is_clean:
        raise UsageError(
            files[0].parent,
            f"holds photos without noise ({255 * survey.sigma:.2g}/255), which teach nothing",
            "give noisy ones, as the camera wrote them",
        )
    return survey


def measure_photo(file: Path, page: int | None) -> Photo:
    """Reads and measures a photo.

    Args:
        file: The file.
        page: Which page of it; see `list_pages`.

    Raises:
        InputError: It cannot be used.
    """
    image = read_image(file, exact=True, page=page)
    if min(image.height, image.width) < 4 * BLOCK:
        raise InputError(
            file, f"is smaller than {4 * BLOCK} pixels", "give photos as the camera wrote them"
        )
    top, left = (max(0, (side - _MIDDLE) // 2) for side in (image.height, image.width))
    middle = image.pixels[top : top + _MIDDLE, left : left + _MIDDLE]
    if middle.dtype.kind == "f" and not np.isfinite(middle).all():
        raise InputError(file, "has values that are not finite", "export it again")
    white = np.iinfo(middle.dtype).max if middle.dtype.kind == "u" else 1
    return Photo(
        file=file,
        camera=read_shot(image).camera,
        format=image.format,
        bit_depth=image.bit_depth,
        shape=image.pixels.shape,  # pyright: ignore[reportArgumentType]
        sigma=estimate_sigma(middle),
        correlation=estimate_correlation(middle),
        clipped=float(((middle == 0) | (middle == white)).mean()),
        page=page,
    )


def _first(is_so: np.ndarray) -> int:
    """Where something holds for the first time; the length if nowhere."""
    return int(np.argmax(is_so)) if is_so.any() else len(is_so)
