"""Folders of made-up noisy photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from kerasdenoise.runtime import prepare_keras

prepare_keras()

Draw = Callable[[np.random.Generator, tuple[int, int, int]], np.ndarray]


def white(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    return rng.normal(0, 0.1, shape)


def shared(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), (1.2, 1.2, 0))
    return 0.1 * smooth / smooth.std()


def columns(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    return rng.normal(0, 0.1, (1, *shape[1:]))


def photons(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Too strong for the classical diffusion that the tests start from."""
    return rng.poisson(4, shape) / 4 - 1


def none(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    return np.zeros(shape)


NOISES: dict[str, Draw] = {
    "white": white,
    "photons": photons,
    "correlated": shared,
    "lines": columns,
    "none": none,
}


@pytest.fixture
def shoot(tmp_path: Path) -> Callable[..., list[Path]]:
    """Writes a folder of photos: `shoot("white", count=3, suffix=".tif", camera="A")`."""

    def write(
        noise: str,
        count: int = 3,
        *,
        size: tuple[int, int] = (96, 128),
        suffix: str = ".png",
        camera: str | None = None,
        folder: str = "shoot",
    ) -> list[Path]:
        rng = np.random.default_rng(0)
        (tmp_path / folder).mkdir(exist_ok=True)
        start = len(list((tmp_path / folder).iterdir()))
        files = []
        for index in range(start, start + count):
            coarse = ndimage.gaussian_filter(rng.random((*size, 3)), (20, 20, 0))
            clean = 0.3 + 0.4 * (coarse - coarse.min()) / np.ptp(coarse)
            noisy = clean + NOISES[noise](rng, clean.shape)
            path = tmp_path / folder / f"{index:02}{suffix}"
            if suffix == ".tif":  # a microscope's, of which photos use little of the range
                tifffile.imwrite(path, np.rint(4000 * noisy.clip(0, 2)).astype(np.uint16))
            else:
                exif = Image.Exif()
                if camera:
                    exif[0x0110] = camera
                pixels = np.rint(255 * noisy.clip(0, 1)).astype(np.uint8)
                Image.fromarray(pixels).save(path, exif=exif)
            files.append(path)
        return files

    return write
