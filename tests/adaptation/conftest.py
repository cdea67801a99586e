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
        rng, scenery = np.random.default_rng(1), np.random.default_rng(0)
        (tmp_path / folder).mkdir(exist_ok=True)
        start = len(list((tmp_path / folder).iterdir()))
        files = []
        for index in range(start, start + count):
            coarse = ndimage.gaussian_filter(scenery.random((*size, 3)), (20, 20, 0))
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


@pytest.fixture
def show() -> Callable[..., np.ndarray]:
    """A part of a scene with structure, from a place: `show(scene, (top, left))`."""

    def cut(scene: int = 0, at: tuple[int, int] = (20, 20)) -> np.ndarray:
        white = np.random.default_rng(scene).random((176, 176, 1))
        fine, coarse = (ndimage.gaussian_filter(white, (size, size, 0)) for size in (3, 16))
        smooth = 4 / 3 * fine + 60 / 16 * coarse
        whole = 0.3 + 0.4 * (smooth - smooth.min()) / np.ptp(smooth)
        return whole[at[0] : at[0] + 128, at[1] : at[1] + 128]

    return cut


@pytest.fixture
def expose(show: Callable[..., np.ndarray], tmp_path: Path) -> Callable[..., Path]:
    """Takes a noisy photo of a scene from a place: `expose(scene, (top, left), sigma=0.1)`."""
    rng = np.random.default_rng(5)

    def act(
        scene: int = 0, at: tuple[int, int] = (20, 20), *, sigma: float = 0.02, gain: float = 1
    ) -> Path:
        clean = gain * show(scene, at)
        file = tmp_path / f"{len(list(tmp_path.iterdir())):02}.tif"
        tifffile.imwrite(file, (clean + rng.normal(0, sigma, clean.shape)).astype(np.float32))
        return file

    return act
