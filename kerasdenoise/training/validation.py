"""A fixed, small set of noisy images on which a run's progress is measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from kerasdenoise.data.sources import load_images
from kerasdenoise.errors import RecipeError
from kerasdenoise.metrics import psnr, ssim
from kerasdenoise.models import make_config
from kerasdenoise.noise import corrupt_arrays, parse_noise
from kerasdenoise.training.objectives import get_truth
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.silence import measure_silence
from kerasdenoise.training.task import give_inputs, measure_noise

# Images that are denoised at a time.
_BATCH = 4


class Validation:
    """Denoises the same noisy crops at each checkpoint.

    Args:
        recipe: Says which photos, corruptions and crops.
        root: Folder that the recipe's data folders are relative to.

    Raises:
        RecipeError: If there is no photo as large as a crop.
    """

    def __init__(self, recipe: Recipe, root: Path) -> None:
        crop = recipe.report.crop
        photos = load_images(
            recipe.data.validation,
            root,
            channels=make_config(recipe.model.architecture, recipe.model.config).channels,
            smallest=crop,
            exclude=recipe.data.exclude,
        )[: recipe.report.images]
        if not photos:
            raise RecipeError(
                "validation", f"has no photo of {crop} pixels", "choose a smaller crop"
            )
        self._clean = np.stack([_center(photo, crop) for photo in photos]) / np.float32(255)
        truth = get_truth(recipe.optimization.objective)
        self._truth = keras.ops.convert_to_numpy(truth(keras.ops.convert_to_tensor(self._clean)))
        self._noisy = {
            kind: corrupt_arrays(parse_noise(kind), self._clean, recipe.seed)
            for kind in recipe.report.noises
        }

    def measure(self, denoiser: keras.Model) -> dict[str, float]:
        """Returns the mean PSNR in dB for each corruption, results clipped.

        They are compared with what the recipe's objective wants: the clean image, or its map.
        """
        return {kind: self._measure(denoiser, noisy, psnr) for kind, noisy in self._noisy.items()}

    def measure_noisy(self) -> dict[str, float]:
        """Returns the mean PSNR in dB of the noisy images, not clipped, for each corruption.

        Empty where the recipe's objective wants something else than the clean image.
        """
        if not np.array_equal(self._truth, self._clean):
            return {}
        return {
            kind: float(np.mean([psnr(*pair) for pair in zip(self._clean, noisy, strict=True)]))
            for kind, noisy in self._noisy.items()
        }

    def measure_ssim(self, denoiser: keras.Model) -> float:
        """Returns the mean SSIM over all corruptions; crops have sides of at least 11."""
        values = [self._measure(denoiser, noisy, ssim) for noisy in self._noisy.values()]
        return float(np.mean(values))

    def measure_silence(self, denoiser: keras.Model) -> float:
        """Returns the share of silent units, by a few images of the first corruption."""
        noisy = next(iter(self._noisy.values()))
        return measure_silence(
            denoiser, array_inputs(denoiser, noisy[:_BATCH], self._clean[:_BATCH])
        )

    def _measure(
        self,
        denoiser: keras.Model,
        noisy: np.ndarray,
        figure: Callable[[np.ndarray, np.ndarray], float],
    ) -> float:
        inputs = array_inputs(denoiser, noisy, self._clean)
        results = np.clip(denoiser.predict(inputs, batch_size=_BATCH, verbose=0), 0, 1)
        return float(np.mean([figure(*pair) for pair in zip(self._truth, results, strict=True)]))


def array_inputs(
    denoiser: keras.Model, noisy: np.ndarray, clean: np.ndarray
) -> np.ndarray | list[np.ndarray]:
    """Puts together what a network takes, as NumPy arrays: Keras mixes no tensors with them.

    Args:
        denoiser: The network.
        noisy: Float32 images (batch, height, width, channels).
        clean: The same without noise, by which networks that take it are told the level.
    """
    inputs = give_inputs(denoiser, noisy, measure_noise(noisy, clean))
    return keras.tree.map_structure(keras.ops.convert_to_numpy, inputs)


def _center(photo: np.ndarray, crop: int) -> np.ndarray:
    top, left = (photo.shape[0] - crop) // 2, (photo.shape[1] - crop) // 2
    return photo[top : top + crop, left : left + crop]
