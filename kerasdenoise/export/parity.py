"""What a file loses against its network, and how much it may."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasdenoise.data.sources import decode_image, load_images
from kerasdenoise.errors import ModelError, RecipeError, UsageError
from kerasdenoise.export.kinds import Kind, Variant
from kerasdenoise.export.litert import open_engine
from kerasdenoise.inference.processes import TileError
from kerasdenoise.inference.tiles import reflect
from kerasdenoise.metrics import psnr
from kerasdenoise.models._parts import find_layers
from kerasdenoise.pixels import to_pixels, to_samples

if TYPE_CHECKING:
    from kerasdenoise.training.recipe import Recipe

# Decibels that a file may lose.
_ALLOWED: dict[Kind, float] = {"float32": 0.01, "float16": 0.01}
_ALLOWED_ELSE = 0.1

_IMAGES = 16
_SIGMA = 25 / 255
# Edge of the pictures for a file that takes any size.
_SIDE = 256

_SAMPLE = Path(__file__).parents[2] / "docs/images/sample_clean.png"


def load_photos(
    recipe: Recipe, root: Path, channels: int, given: Path | None = None
) -> tuple[list[np.ndarray], str]:
    """Loads clean photos that files are measured on.

    Args:
        recipe: How the network was trained.
        root: Folder that the recipe's data folders are relative to.
        channels: Channels of the network's images.
        given: A folder of photos to use instead of the recipe's.

    Returns:
        Up to 16 photos, uint8 (height, width, channels), and what they are called: those in
        `given`, or else the recipe's validation photos, or else the sample of a checkout.

    Raises:
        RecipeError: `given` contains no photos.
        UsageError: There are none at all.
    """
    if given:
        return load_images(["."], given, channels=channels)[:_IMAGES], given.name
    names = recipe.data.validation
    try:
        photos = load_images(names, root, channels=channels, exclude=recipe.data.exclude)
        return photos[:_IMAGES], ", ".join(names)
    except RecipeError as error:
        if not _SAMPLE.is_file():
            raise UsageError(
                root,
                "does not contain the photos that the model was validated on",
                "give a folder of clean photos with --photos",
            ) from error
    return [decode_image(_SAMPLE, channels)], _SAMPLE.name


class ParityGate:
    """Compares files with their network by what they make of the same noisy pictures.

    The pictures have Gaussian noise of sigma 25/255, clipped and rounded to 8 bits.

    Args:
        denoiser: The network.
        photos: Clean photos, uint8 (height, width, channels). The middle of each is used; small
            ones are continued by their reflection.
        called: What these photos are called.
        stride: What height and width of an image are multiples of.
        force: Whether files that lose too much are let through.
    """

    def __init__(
        self,
        denoiser: keras.Model,
        photos: Sequence[np.ndarray],
        called: str,
        stride: int,
        force: bool = False,
    ) -> None:
        self._denoiser = denoiser
        self._photos = photos
        self._called = called
        self._side = max(_SIDE // stride, 1) * stride
        self._force = force
        self._keras: dict[int, float] = {}

    def measure(self, path: Path, variant: Variant) -> dict[str, Any]:
        """Measures a file.

        Args:
            path: The file.
            variant: What it is.

        Returns:
            What is known of the file: `kind`, `target`, `size`, `bytes`; `photos`, `images` and
            `noise`; `psnr` and `psnr_keras`, mean PSNR in dB of the results, clipped; and
            `forced`, whether `force` alone let it through.

        Raises:
            ModelError: It cannot be run, or it loses more than 0.1 dB, with float16 and
                float32 0.01 dB, unless `force`.
        """
        side = variant.size or self._side
        engine = open_engine(path)

        names = [tensor.name for tensor in self._denoiser.inputs]

        def run(noisy: np.ndarray) -> np.ndarray:
            (denoised,) = engine(dict(zip(names, self._given(noisy), strict=True))).values()
            return denoised

        try:
            own = self._mean(side, run)
        except TileError as error:
            if variant.kind not in ("int8", "int16x8"):
                raise
            raise ModelError(
                path.name,
                "cannot be run: a layer whose output was zero on all photos has no integer scale",
                "use --float16, or other --photos",
            ) from error
        if side not in self._keras:
            self._keras[side] = self._mean(side, self._run_keras)
        row = {
            "kind": variant.kind,
            "target": variant.target,
            "size": variant.size,
            "bytes": path.stat().st_size,
            "photos": self._called,
            "images": len(self._photos),
            "noise": f"gaussian:{255 * _SIGMA:g}",
            "psnr": own,
            "psnr_keras": self._keras[side],
        }
        allowed = _ALLOWED.get(variant.kind, _ALLOWED_ELSE)
        # Not the other way round, which would let through what is not a number.
        row["forced"] = not row["psnr_keras"] - own <= allowed
        if row["forced"] and not self._force:
            raise self._refusal(path, variant, row, allowed)
        return row

    def _given(self, noisy: np.ndarray) -> list[np.ndarray]:
        level = np.full((*noisy.shape[:3], 1), _SIGMA, np.float32)
        return [noisy, level][: len(self._denoiser.inputs)]

    def _run_keras(self, noisy: np.ndarray) -> np.ndarray:
        given = self._given(noisy)
        denoised = self._denoiser(given if len(given) > 1 else noisy, training=False)
        return keras.ops.convert_to_numpy(denoised)

    def _mean(self, side: int, run: Any) -> float:
        """Mean PSNR of what `run` makes of float32 images (1, side, side, channels)."""
        values = []
        for index, photo in enumerate(self._photos):
            clean = _cut_middle(photo, side) / np.float32(255)
            noise = np.random.default_rng(index).normal(0, _SIGMA, clean.shape)
            noisy = to_pixels(to_samples(clean + noise, np.uint8))
            values.append(psnr(clean, np.clip(run(noisy[np.newaxis])[0], 0, 1)))
        return float(np.mean(values))

    def _refusal(
        self, path: Path, variant: Variant, row: dict[str, Any], allowed: float
    ) -> ModelError:
        loss = row["psnr_keras"] - row["psnr"]
        cause = f"loses {loss:.2f} dB against Keras, where {allowed:g} are allowed"
        if variant.kind in ("float32", "float16"):
            return ModelError(path.name, cause, "report this, or keep it with --force")
        layers = _own_layers(self._denoiser)
        if layers:
            cause += f", as 8 bits are too few for {' and '.join(layers)}"
        return ModelError(path.name, cause, "use --float16, or keep it with --force")


def _cut_middle(photo: np.ndarray, side: int) -> np.ndarray:
    for axis in (0, 1):
        start = (photo.shape[axis] - side) // 2
        rows = reflect(range(start, start + side), photo.shape[axis])
        photo = np.take(photo, rows, axis)
    return photo


def _own_layers(denoiser: keras.Model) -> list[str]:
    """The classes of this package's layers that a network is made of."""
    own = {
        type(layer).__name__
        for layer in find_layers(denoiser)
        if type(layer).__module__.startswith("kerasdenoise.layers.")
    }
    return sorted(name for name in own if not name.startswith("_"))
