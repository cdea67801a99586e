"""The public API of denoising: one loaded model for any number of images."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeGuard, TypeVar

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.inference.gpu import DEVICES, Device
from kerasdenoise.inference.image_types import check_finite, check_pixels, denoise_any
from kerasdenoise.inference.mix import mix
from kerasdenoise.inference.network import Network, Told, turns_of
from kerasdenoise.inference.noise_estimate import BLOCK, estimate_sigma
from kerasdenoise.inference.outliers import fill, find_limits, find_missing
from kerasdenoise.inference.settings import DenoiseSettings, Quality
from kerasdenoise.inference.tiles import Tile, Tiling, no_memory, reflect
from kerasdenoise.inference.tone import keep_tone
from kerasdenoise.pixels import to_samples
from kerasdenoise.zoo import ModelInfo, default_model, find_model

if TYPE_CHECKING:
    import keras

Source = TypeVar("Source", str, Path, bytes, np.ndarray, PillowImage.Image)

# After images of this many bytes, the tiles' memory is freed, because writing needs some too.
_LARGE = 2**28


class Denoiser:
    """A saved model, loaded once and used for any number of images.

    If memory runs out, tiles are halved until they fit, and later ones stay that small. The
    result does not depend on the tiles.

    Args:
        model: A model's name, folder or `ModelInfo`; None for the default model. Or a Keras
            network, or its `.keras` file, which becomes a saved model first; see
            `kerasdenoise.save_model`.
        threads: Number of threads; all usable cores by default.
        tile: Largest height and width of a tile in pixels, overlap included, or "auto".
        sigma: Standard deviation of the noise on the [0, 1] scale, the same for all pixels, for
            a model that takes or estimates the noise level. None estimates it from each image.
        quality: "fast" computes with 8-bit integers, if the model has a file for them: values
            outside [0, 1] are clipped, and the result has 256 levels. "best" averages all eight
            flips and rotations of the image, and takes eight times as long.
        naturalness: For a model that adds detail, such as photo_natural: from 0 for the least
            error, without any added detail, to 1 for the most natural look, with invented detail.
            None for 1.
        seed: For such a model, selects the invented detail, from 0 to 4090. None for 0.
        max_memory: Most bytes of the work on a tile, without the image and its result; by
            default 640 MB to 1.6 GB, depending on the free memory, or no limit if `tile` is given.
        device: "gpu" for the GPU, if one works; "auto" if it is also faster. The first tile of
            each size is compared with the CPU's, and a GPU that fails or differs by more than
            0.001 is not used: the CPU is. Not with `quality` "fast".

    Attributes:
        info: The model as it is run: at "fast" it uses no noise level.
        quality: The quality.
        threads: The number of threads.
        share_beyond: Of the last image, the share of pixels whose noise is stronger than a
            diffusion model has learned, and was denoised as if it were not; 0 for other models.
        device: What denoised the last image: "gpu" if any of its tiles, or else "cpu".
        fallback: Why the GPU was given up during the last image; None if it was not.

    Raises:
        ModelError: The model is unknown, damaged, or not a denoiser.
        UsageError: The tile or the memory is too small for the model, or `sigma`, `quality`,
            `naturalness`, `seed`, `device` or `threads` cannot be used.
    """

    def __init__(
        self,
        model: str | Path | ModelInfo | keras.Model | None = None,
        *,
        threads: int | None = None,
        tile: int | Literal["auto"] = "auto",
        sigma: float | None = None,
        quality: Quality = "balanced",
        naturalness: float | None = None,
        seed: int | None = None,
        max_memory: int | None = None,
        device: Device = "cpu",
    ) -> None:
        _check_device(device, quality)
        self._settings = DenoiseSettings(
            sigma=sigma, quality=quality, naturalness=naturalness, seed=seed
        )
        if _is_network(model):
            model = self._save(model)
        if not isinstance(model, ModelInfo):
            model = find_model(default_model() if model is None else model)
        self.info = self._settings.fit(model)
        self.quality: Quality = quality
        self._tiling = Tiling(self.info, tile, max_memory)  # before anything is loaded
        if threads is not None and threads < 1:
            raise UsageError(f"threads {threads}", "is less than 1", "leave it out for all cores")
        self._network = Network(
            self.info,
            threads,
            turns_of(quality),
            naturalness=1.0 if naturalness is None else naturalness,
            seed=seed or 0,
            device=device,
        )
        self.threads = self._network.threads
        self.share_beyond = 0.0
        self.device: Literal["cpu", "gpu"] = "cpu"
        self.fallback: str | None = None

    def _save(self, network: keras.Model | str | Path) -> Path:
        """Saves a network as a model in a folder that lives as long as this object."""
        from kerasdenoise.export.model_package import save_model

        folder = tempfile.mkdtemp(prefix="kerasdenoise-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        name = Path(network).stem if isinstance(network, str | os.PathLike) else network.name
        return save_model(network, Path(folder) / name)

    def __call__(
        self,
        noisy: Source,
        strength: float = 1.0,
        *,
        luma: float = 1.0,
        chroma: float = 1.0,
        detail: float = 0.0,
        keep_grain: float = 0.0,
        output: str | Path | None = None,
        overwrite: bool = False,
    ) -> Source:
        """Denoises an image and returns the same type.

        Args:
            noisy: A path: the result is written beside it, as `photo_denoised.jpg`. Bytes of
                an image file: encoded in the same format. A Pillow image: mode and info are
                kept. An array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4 with alpha): shape and
                type are kept; integers use their whole range, floats [0, 1] nominally.
            strength: 0 for no change, 1 for full denoising; see `denoise_pixels`.
            luma: Multiplies the strength for brightness; see `denoise_pixels`.
            chroma: Multiplies the strength for color.
            detail: 0 to restore nothing, 1 to restore all removed fine detail.
            keep_grain: 0 to restore nothing, 1 to restore all noise without its color.
            output: For a path only: the file or folder to write to.
            overwrite: For a path only: replace an existing file.

        Returns:
            The path of the written file, or the denoised image in the given type.

        Raises:
            InputError: The image cannot be read, has values that are not finite, or does not
                fit into memory.
            OutputError: The result cannot be written.
            UsageError: The result's file exists, the type of `noisy` is unknown, or one of the
                amounts is invalid.
        """
        settings = self.prepare(
            strength=strength, luma=luma, chroma=chroma, detail=detail, keep_grain=keep_grain
        )
        denoise_into = functools.partial(self.denoise_into, settings=settings)
        return denoise_any(noisy, denoise_into, output=output, overwrite=overwrite)

    def prepare(self, **changes: float) -> DenoiseSettings:
        """Returns settings that combine this denoiser's own with other ones.

        Args:
            **changes: The other fields of `DenoiseSettings`.

        Raises:
            UsageError: A value is invalid, or invalid for this model.
        """
        settings = dataclasses.replace(self._settings, **changes)
        settings.fit(self.info)
        self._tiling.grid(1, 1, settings.margin)  # rejects tiles that are too small
        return settings

    def tile_count(self, height: int, width: int, settings: DenoiseSettings | None = None) -> int:
        """The number of tiles, and of calls of `on_tile`, for an image of this size.

        Args:
            height: Rows of the image.
            width: Columns of the image.
            settings: The result of `prepare`; None for the defaults.
        """
        margin = settings.margin if settings else 0
        return len(self._tiling.grid(height, width, margin).tiles)

    def denoise_pixels(
        self,
        pixels: np.ndarray,
        strength: float = 1.0,
        *,
        luma: float = 1.0,
        chroma: float = 1.0,
        detail: float = 0.0,
        keep_grain: float = 0.0,
        hidden: np.ndarray | None = None,
        on_tile: Callable[[], None] | None = None,
        name: object = "image",
    ) -> np.ndarray:
        """Denoises pixels, tile by tile; gray ones stay gray.

        Args:
            pixels: (H, W, 1 or 3), float32, nominally in [0, 1], or any type of
                `image_types.DTYPES`, of which only a tile is float32 at a time.
            strength: Up to 1, how much of the detected noise is removed: 0 for no change (the
                model does not run), 1 for full denoising. Above 1 and up to 2, for a model that
                takes or estimates the noise level, it denoises as if the noise were that many
                times stronger.
            luma: Multiplies the strength for brightness (luma by ITU-R BT.601), from 0 to 2, for
                a product of up to 2. If luma and chroma differ and one product is above 1, the
                model runs twice.
            chroma: Multiplies the strength for color; gray images have none.
            detail: How much removed luma detail is restored, in [0, 1]: what is stronger, in
                structures finer than about 4 pixels, than noise explains.
            keep_grain: How much of the removed noise is then restored, in [0, 1]: only its luma,
                the same in all channels, so that color noise stays removed.
            hidden: Bool (H, W): fully transparent pixels. They stay unchanged, and do not affect
                others. None for none.
            on_tile: Called after each tile.
            name: The image's name in errors.

        Returns:
            The same shape and type; floats are not clipped.

        Raises:
            InputError: The pixels or the model's result have values that are not finite, or even
                the smallest tile does not fit into memory.
            ModelError: The model cannot run.
            UsageError: The pixels have another shape or type, or one of the amounts is out of
                range, or above 1 for a model without a noise level.
        """
        settings = self.prepare(
            strength=strength, luma=luma, chroma=chroma, detail=detail, keep_grain=keep_grain
        )
        try:
            denoised = pixels.copy()
        except MemoryError as error:
            raise no_memory(name) from error
        self.denoise_into(
            pixels, denoised, settings=settings, hidden=hidden, on_tile=on_tile, name=name
        )
        return denoised

    def denoise_into(
        self,
        pixels: np.ndarray,
        denoised: np.ndarray,
        *,
        settings: DenoiseSettings,
        hidden: np.ndarray | None = None,
        on_tile: Callable[[], None] | None = None,
        name: object = "image",
    ) -> None:
        """Denoises like `denoise_pixels`, into another array.

        Args:
            pixels: As for `denoise_pixels`.
            denoised: A copy of `pixels`, which the result overwrites.
            settings: The result of `prepare`.
            hidden: As for `denoise_pixels`.
            on_tile: Called after each tile.
            name: The image's name in errors.

        Raises:
            InputError: As for `denoise_pixels`.
            ModelError: As for `denoise_pixels`.
            UsageError: The pixels have another shape or type.
        """
        check_pixels(pixels)
        self.share_beyond = 0.0
        self.device, self.fallback = "cpu", None
        factors = settings.factors(pixels.shape[2])
        if not factors:
            return
        self._network.counted = self._network.beyond = 0
        accelerated, fallback = self._network.accelerated, self._network.fallback
        check_finite(pixels, name)
        limits = find_limits(pixels)
        try:
            missing = _unite(hidden, find_missing(pixels, limits))
            if missing is not None and missing.all():
                return
            seen = pixels if missing is None else fill(pixels, missing)
            level = self._noise_level(seen, settings.sigma)
            told = [Told(level, factor) for factor in factors]
            runs = [(each, self._network.summarize(seen, each)) for each in told]
        except MemoryError as error:
            raise no_memory(name) from error

        def run(tile: Tile, noisy: np.ndarray) -> None:
            beyond = None
            if limits is not None:
                within = np.clip(noisy, limits.lowest, limits.highest)
                noisy, beyond = within, noisy - within
            results = [self._network.denoise(noisy, *each) for each in runs]
            if self.info.keeps_tone:
                inside, bounded = tile.inside(*pixels.shape[:2]), limits is None
                results = [keep_tone(noisy, each, inside, bounded=bounded) for each in results]
            rows, columns = (_grow(side, settings.margin) for side in tile.keep)
            part = rows, columns
            levels = self._tile_level(noisy, level, part) if settings.margin else None
            result = mix(noisy[part], results[0][part], results[-1][part], settings, levels)
            if beyond is not None:
                result = result + beyond[tile.keep]
            if not np.isfinite(result).all():
                raise InputError(
                    name,
                    "the model's result is not finite; nothing was written",
                    "try another model, or check this one with `kerasdenoise models verify`",
                )
            denoised[tile.place] = to_samples(result, denoised.dtype)

        self._tiling.run(seen, run, name, on_tile, settings.margin)
        self.share_beyond = self._network.beyond / max(self._network.counted, 1)
        if self._network.accelerated > accelerated:
            self.device = "gpu"
        if self._network.fallback != fallback:
            self.fallback = self._network.fallback
        if missing is not None:
            np.copyto(denoised, pixels, where=missing[..., np.newaxis])
        if pixels.nbytes > _LARGE:
            self._network.release()

    def estimate_noise(self, pixels: np.ndarray) -> np.ndarray:
        """Estimates the noise level at each pixel, regardless of `sigma`.

        If the model estimates the level, this is the estimate that it denoises with. For other
        models, and at "fast", it is the same at all pixels: `noise_estimate.estimate_sigma`.

        Args:
            pixels: As for `denoise_pixels`.

        Returns:
            Standard deviation of the noise, mean square over channels, on the [0, 1] scale:
            float32 (H, W).

        Raises:
            InputError: The pixels have values that are not finite, or do not fit into memory.
            UsageError: They have another shape or type.
        """
        check_pixels(pixels)
        check_finite(pixels, "image")
        if not self.info.estimates_level:
            return np.full(pixels.shape[:2], _measure_sigma(pixels), np.float32)
        level = np.empty(pixels.shape[:2], np.float32)
        limits = find_limits(pixels)
        missing = find_missing(pixels, limits)
        if missing is not None and not missing.all():
            pixels = fill(pixels, missing)

        def run(tile: Tile, noisy: np.ndarray) -> None:
            if limits is not None:
                noisy = np.clip(noisy, limits.lowest, limits.highest)
            level[tile.place] = self._network.estimate(noisy)[tile.keep]

        self._tiling.run(pixels, run, "image")
        return level

    def _tile_level(
        self, noisy: np.ndarray, level: float | None, part: tuple[slice, slice]
    ) -> np.ndarray | None:
        if level is not None:
            return np.full(noisy[part].shape[:2], level, np.float32)
        return self._network.estimate(noisy)[part] if self.info.estimates_level else None

    def _noise_level(self, pixels: np.ndarray, sigma: float | None) -> float | None:
        if sigma is None and self.info.takes_noise_level:
            return _measure_sigma(pixels)
        return sigma


def denoise(
    noisy: Source,
    *,
    model: str | Path | keras.Model | Denoiser | None = None,
    strength: float = 1.0,
    luma: float = 1.0,
    chroma: float = 1.0,
    detail: float = 0.0,
    keep_grain: float = 0.0,
    quality: Quality | None = None,
    max_memory: int | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
) -> Source:
    """Denoises an image and returns the same type.

    Args:
        noisy: A path, the bytes of an image file, a Pillow image or an array; see
            `Denoiser.__call__`.
        model: What `Denoiser` takes, or a `Denoiser`, which is not loaded again; None for the
            default model.
        strength: 0 for no change, 1 for full denoising, and up to 2 for more with a model that
            uses a noise level; see `Denoiser.denoise_pixels`.
        luma: Multiplies the strength for brightness, from 0 to 2.
        chroma: Multiplies the strength for color, from 0 to 2.
        detail: 0 to restore nothing, 1 to restore all removed fine detail.
        keep_grain: 0 to restore nothing, 1 to restore all noise without its color.
        quality: "fast", "balanced" (the default) or "best"; see `Denoiser`. Not for a
            `Denoiser`, which has its own.
        max_memory: Most bytes of the work on a tile. Not for a `Denoiser`, which has its own.
        output: For a path only: the file or folder to write to.
        overwrite: For a path only: replace an existing file.

    Returns:
        The path of the written file, or the denoised image in the given type.

    Raises:
        InputError: The image cannot be read, has values that are not finite, or does not fit
            into memory.
        OutputError: The result cannot be written.
        ModelError: The model is unknown or damaged.
        UsageError: The result's file exists, the type of `noisy` is unknown, or the amounts, the
            quality or the memory limit are invalid.

    Example:
        >>> denoise("photo.jpg", strength=0.8)
        'photo_denoised.jpg'
    """
    denoiser = _as_denoiser(model, quality, max_memory)
    return denoiser(
        noisy,
        strength,
        luma=luma,
        chroma=chroma,
        detail=detail,
        keep_grain=keep_grain,
        output=output,
        overwrite=overwrite,
    )


def _is_network(model: object) -> TypeGuard[keras.Model | str | Path]:
    """Whether a model is a Keras network or its file, and not yet a saved model."""
    if isinstance(model, str | os.PathLike):
        return Path(model).suffix == ".keras"
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def _check_device(device: Device, quality: Quality) -> None:
    if device not in DEVICES:
        raise UsageError(f"device {device!r}", "is unknown", f"use {', '.join(DEVICES)}")
    if device == "gpu" and quality == "fast":
        raise UsageError(
            "device gpu",
            "cannot be combined with quality 'fast', whose 8-bit integers are for the CPU",
            "leave one of them out",
        )


def _unite(*masks: np.ndarray | None) -> np.ndarray | None:
    """Returns where any of the masks is set; None if nowhere."""
    given = [mask for mask in masks if mask is not None and mask.any()]
    return functools.reduce(np.logical_or, given) if given else None


def _as_denoiser(
    model: str | Path | keras.Model | Denoiser | None,
    quality: Quality | None,
    max_memory: int | None,
) -> Denoiser:
    if not isinstance(model, Denoiser):
        return Denoiser(model, quality=quality or "balanced", max_memory=max_memory)
    for option, value in (("quality", quality), ("max_memory", max_memory)):
        if value is not None:
            raise UsageError(
                f"{option} {value!r}", "is a setting of the Denoiser", "give it to Denoiser(...)"
            )
    return model


def _grow(side: slice, margin: int) -> slice:
    return slice(side.start - margin, side.stop + margin)


def _measure_sigma(pixels: np.ndarray) -> float:
    """Estimates the noise level of an image of any size; see `estimate_sigma`."""
    if min(pixels.shape[:2]) < BLOCK:  # too small to measure: mirrored
        sides = pixels.shape[:2]
        pixels = pixels[np.ix_(*(reflect(range(max(side, BLOCK)), side) for side in sides))]
    return estimate_sigma(pixels)
