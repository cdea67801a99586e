"""Noisy pictures of 8 bits: what every kind of file, and every peer, can take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasdenoise.evaluation.samples import Sample, to_gray
from kerasdenoise.images.read import read_image

SIGMA = 25 / 255


@dataclass(frozen=True)
class Pictures:
    """Clean pictures, and the same with Gaussian noise of `SIGMA`, clipped and rounded to 8 bits.

    The noise of a picture depends on its position alone.

    Attributes:
        name: What the set is called.
        files: The clean pictures.
        gray: Whether they are turned to gray first.
    """

    name: str
    files: Sequence[Path]
    gray: bool = False

    def __iter__(self) -> Iterator[Sample]:
        """Reads one picture after the other.

        Raises:
            InputError: A file cannot be read.
        """
        for index, file in enumerate(self.files):
            clean = read_image(file).pixels
            if self.gray:
                clean = to_gray(clean)
            elif clean.shape[2] == 1:
                clean = np.repeat(clean, 3, axis=2)  # what peers take is in color
            noise = np.random.default_rng(index).normal(0, SIGMA, clean.shape)
            noisy = np.rint(255 * np.clip(clean + noise, 0, 1)) / 255
            yield Sample(noisy=noisy.astype(np.float32), clean=clean)


def make_noisy(height: int, width: int) -> np.ndarray:
    """Makes smooth color with noise of `SIGMA`: uint8 (height, width, 3)."""
    rng = np.random.default_rng(0)
    pixels = np.empty((height, width, 3), np.uint8)
    columns = np.linspace(0, 6 * np.pi, width, dtype=np.float32)[None, :, None]
    columns = columns + np.arange(3, dtype=np.float32)
    for top in range(0, height, 64):  # in bands, of which the noise takes little memory
        band = pixels[top : top + 64]
        rows = np.arange(top, top + len(band), dtype=np.float32)[:, None, None] / 300
        noise = np.float32(255 * SIGMA) * rng.standard_normal(band.shape, np.float32)
        band[:] = (127 + 90 * np.sin(columns) * np.cos(rows) + noise).clip(0, 255)
    return pixels
