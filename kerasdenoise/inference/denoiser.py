"""The public face of denoising: one model, ready for any number of images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.images.image import Image
from kerasdenoise.images.measures import BLOCK, estimate_sigma
from kerasdenoise.images.plan import plan_jobs
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image, write_image
from kerasdenoise.inference.arrays import denoise_array, denoise_pil
from kerasdenoise.inference.blend import blend, check_strength
from kerasdenoise.inference.network import Network, Told
from kerasdenoise.inference.tiles import Tile, TileGrid, reflect, tile_grid
from kerasdenoise.zoo import ModelInfo, default_model, find_model

Source = TypeVar("Source", str, Path, bytes, np.ndarray, PillowImage.Image)


class Denoiser:
    """A saved model, loaded once and used for any number of images.

    Args:
        model: A model's name, or the path of its folder; the default model if None.
        threads: Threads to use; all usable cores by default.
        tile: Largest edge of a tile in pixels, its overlap included, or "auto". The result
            does not depend on it; memory and speed do.
        sigma: Standard deviation of the noise on the [0, 1] scale, the same for all pixels, for
            a model that is told the level or estimates it; estimated from each image if None.

    Attributes:
        info: What is known about the model.
        threads: The number of threads it uses.

    Raises:
        ModelError: The model is unknown, damaged, or not a denoiser.
        UsageError: The tile is too small for the model, or `sigma` cannot be used.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        threads: int | None = None,
        tile: int | Literal["auto"] = "auto",
        sigma: float | None = None,
    ) -> None:
        self.info = find_model(default_model() if model is None else model)
        self._tile: int | Literal["auto"] = tile
        self.tile_count(1, 1)  # refuses a tile that is too small before anything is loaded
        self._sigma = _check_sigma(sigma, self.info)
        self._network = Network(self.info, threads)
        self.threads = self._network.threads

    def __call__(self, noisy: Source, strength: float = 1.0) -> Source:
        """Denoises an image and returns it as what it was given.

        Args:
            noisy: A path: the result is written beside it, as `photo_denoised.jpg`. Bytes of
                an image file: encoded in the same format. A Pillow image: mode and info are
                kept. An array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4 with alpha): shape and
                type are kept; integers use their whole range, floats [0, 1] nominally.
            strength: 0 for no change, 1 for all of the denoising; see `denoise_pixels`.

        Returns:
            The path of the file that was written, or what was given, denoised.

        Raises:
            InputError: The image cannot be read, or holds values that are not finite.
            OutputError: The result cannot be written.
            UsageError: The result's file exists, `noisy` is of a type that is not known, or the
                strength cannot be used.
        """
        return denoise(noisy, model=self, strength=strength)

    def tile_count(self, height: int, width: int) -> int:
        """The number of tiles, and of calls of `on_tile`, for an image of this size."""
        return len(self._grid(height, width).tiles)

    def denoise_image(
        self,
        noisy: Image,
        strength: float = 1.0,
        *,
        on_tile: Callable[[], None] | None = None,
        name: object = "image",
    ) -> Image:
        """Denoises the pixels of an image; all else stays.

        Args:
            noisy: The image.
            strength: 0 for no change, 1 for all of the denoising; see `denoise_pixels`.
            on_tile: Called after each tile.
            name: What to call the image in errors.

        Raises:
            InputError: The image holds values that are not finite.
        """
        return noisy.with_pixels(
            self.denoise_pixels(noisy.pixels, strength, on_tile=on_tile, name=name)
        )

    def denoise_pixels(
        self,
        pixels: np.ndarray,
        strength: float = 1.0,
        *,
        on_tile: Callable[[], None] | None = None,
        name: object = "image",
    ) -> np.ndarray:
        """Denoises pixels, tile by tile; gray ones stay gray.

        Args:
            pixels: Float32 (H, W, 1 or 3), nominally in [0, 1].
            strength: Up to 1, how much of the noise that the model finds is removed: 0 for no
                change (the model is not run), 1 for all of the denoising. Above 1 and up to 2,
                for a model that is told the level of the noise or estimates it: it denoises
                as if the noise were so many times as strong.
            on_tile: Called after each tile.
            name: What to call the image in errors.

        Returns:
            Float32 of the same shape, not clipped.

        Raises:
            InputError: The pixels, or the model's result, hold values that are not finite.
            UsageError: The strength is not in [0, 2], or above 1 for another model.
        """
        if check_strength(strength, self.info) == 0.0:
            return pixels.copy()
        _check_finite(pixels, name)
        told = Told(self._noise_level(pixels), max(strength, 1.0))
        contexts = self._network.summarize(pixels, told)
        denoised = np.empty_like(pixels)
        for tile, noisy in self._cut(pixels):
            result = self._network.denoise(noisy, told, contexts)
            result = blend(noisy[tile.keep], result[tile.keep], strength)
            if not np.isfinite(result).all():
                raise InputError(
                    name,
                    "the model's result is not finite, so that nothing was written",
                    "try another model, and check this one with `kerasdenoise models verify`",
                )
            denoised[tile.place] = result
            if on_tile is not None:
                on_tile()
        return denoised

    def estimate_noise(self, pixels: np.ndarray) -> np.ndarray:
        """Estimates the level of the noise at each pixel, whatever `sigma` says.

        It is the model's own estimate, by which it denoises, tile by tile, where it makes one.
        For other models it is the same at all pixels: `images.measures.estimate_sigma`.

        Args:
            pixels: Float32 (H, W, 1 or 3), nominally in [0, 1].

        Returns:
            Standard deviation of the noise, mean square over channels, on the [0, 1] scale:
            float32 (H, W).

        Raises:
            InputError: The pixels hold values that are not finite.
        """
        _check_finite(pixels, "image")
        if not self.info.estimates_level:
            return np.full(pixels.shape[:2], _measure_sigma(pixels), np.float32)
        level = np.empty(pixels.shape[:2], np.float32)
        for tile, noisy in self._cut(pixels):
            level[tile.place] = self._network.estimate(noisy)[tile.keep]
        return level

    def _cut(self, pixels: np.ndarray) -> Iterator[tuple[Tile, np.ndarray]]:
        """Goes through the tiles of an image, each with the pixels that it reads."""
        height, width, _ = pixels.shape
        for tile in self._grid(height, width).tiles:
            rows, columns = tile.read
            yield tile, pixels[np.ix_(reflect(rows, height), reflect(columns, width))]

    def _grid(self, height: int, width: int) -> TileGrid:
        return tile_grid(
            height,
            width,
            tile=self._tile,
            radius=self.info.radius,
            stride=self.info.stride,
            bytes_per_pixel=self.info.bytes_per_pixel,
        )

    def _noise_level(self, pixels: np.ndarray) -> float | None:
        if self._sigma is None and self.info.takes_noise_level:
            return _measure_sigma(pixels)
        return self._sigma


def denoise(
    noisy: Source,
    *,
    model: str | Path | Denoiser | None = None,
    strength: float = 1.0,
    output: str | Path | None = None,
    overwrite: bool = False,
) -> Source:
    """Denoises an image and returns it as what it was given.

    Args:
        noisy: A path, the bytes of an image file, a Pillow image or an array; see
            `Denoiser.__call__`.
        model: A model's name, the path of its folder, or a `Denoiser`, which spares loading
            it again; the default model if None.
        strength: 0 for no change, 1 for all of the denoising, and up to 2 for more of it by a
            model that goes by a noise level; see `Denoiser.denoise_pixels`.
        output: For a path only: the file or folder to write to.
        overwrite: For a path only: replace a file that is there.

    Returns:
        The path of the file that was written, or what was given, denoised.

    Raises:
        InputError: The image cannot be read, or holds values that are not finite.
        OutputError: The result cannot be written.
        ModelError: The model is unknown or damaged.
        UsageError: The result's file exists, `noisy` is of a type that is not known, or the
            strength cannot be used.

    Example:
        >>> denoise("photo.jpg", strength=0.8)
        'photo_denoised.jpg'
    """
    given: Any = noisy  # a checker cannot follow the type of each branch to that of the result
    if output is not None and not isinstance(given, str | os.PathLike):
        raise UsageError(f"output {output}", "only an image given as a path is written to a file")
    denoiser = model if isinstance(model, Denoiser) else Denoiser(model)
    check_strength(strength, denoiser.info)

    if isinstance(given, str | os.PathLike):
        target = _denoise_file(denoiser, Path(given), strength, output, overwrite)
        denoised: Any = str(target) if isinstance(given, str) else target
    elif isinstance(given, bytes):
        denoised = encode_image(denoiser.denoise_image(read_image(given), strength))
    elif isinstance(given, np.ndarray):
        denoised = denoise_array(given, denoiser.denoise_pixels, strength)
    elif isinstance(given, PillowImage.Image):
        denoised = denoise_pil(given, denoiser.denoise_pixels, strength)
    else:
        raise UsageError(
            f"{type(given).__name__} object",
            "not an image",
            "give a path, bytes, a Pillow image or a NumPy array",
        )
    return denoised


def _denoise_file(
    denoiser: Denoiser, source: Path, strength: float, output: str | Path | None, overwrite: bool
) -> Path:
    plan = plan_jobs([source], output, overwrite=overwrite)
    (job,) = plan.jobs
    image = denoiser.denoise_image(read_image(job.source), strength, name=job.source)
    write_image(image, job.target, overwrite=overwrite)
    return job.target


def _measure_sigma(pixels: np.ndarray) -> float:
    """Estimates the noise level of an image of any size."""
    if min(pixels.shape[:2]) < BLOCK:  # too small to measure noise in: mirrored
        sides = pixels.shape[:2]
        pixels = pixels[np.ix_(*(reflect(range(max(side, BLOCK)), side) for side in sides))]
    return estimate_sigma(pixels)


def _check_finite(pixels: np.ndarray, name: object) -> None:
    if not np.isfinite(pixels).all():
        cause = "holds values that are not finite (NaN or infinity)"
        raise InputError(name, cause, "repair it")


def _check_sigma(sigma: float | None, info: ModelInfo) -> float | None:
    if sigma is None:
        return None
    if not info.follows_level:
        raise UsageError(
            f"sigma {255 * sigma:g}/255",
            f"the model {info.name} finds the level of the noise by itself",
            "leave it out, or use strength for less denoising",
        )
    if not 0.0 <= sigma <= 1.0:  # also catches NaN
        raise UsageError(
            f"sigma {255 * sigma:g}/255", "not between 0 and 255", "give that of the noise"
        )
    return float(sigma)
