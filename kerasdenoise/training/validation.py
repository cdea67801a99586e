"""A fixed, small set of noisy images on which a run's progress is measured."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from kerasdenoise.data.sources import list_images, load_photos
from kerasdenoise.errors import RecipeError
from kerasdenoise.metrics import psnr
from kerasdenoise.noise import parse_noise
from kerasdenoise.training.recipe import Recipe


class Validation:
    """Denoises the same noisy crops at each checkpoint.

    Args:
        recipe: Says which photos, corruptions and crops.
        root: Folder that the recipe's data folders are relative to.

    Raises:
        RecipeError: If there is no photo as large as a crop.
    """

    def __init__(self, recipe: Recipe, root: Path) -> None:
        files = list_images(root / folder for folder in recipe.data.validation)
        crop = recipe.report.crop
        photos = load_photos(files, smallest=crop)[: recipe.report.images]
        if not photos:
            raise RecipeError(
                "validation", f"has no photo of {crop} pixels", "choose a smaller crop"
            )
        self._clean = np.stack([_center(photo, crop) for photo in photos]) / np.float32(255)
        self._noisy = {
            kind: keras.ops.convert_to_numpy(
                parse_noise(kind)(self._clean, keras.random.SeedGenerator(recipe.seed))
            )
            for kind in recipe.report.noises
        }

    def measure(self, denoiser: keras.Model) -> dict[str, float]:
        """Returns the mean PSNR in dB for each corruption, denoised images clipped."""
        return {
            kind: float(
                np.mean(
                    [
                        psnr(clean, np.clip(denoised, 0, 1))
                        for clean, denoised in zip(
                            self._clean,
                            denoiser.predict(noisy, batch_size=4, verbose=0),
                            strict=True,
                        )
                    ]
                )
            )
            for kind, noisy in self._noisy.items()
        }


def _center(photo: np.ndarray, crop: int) -> np.ndarray:
    top, left = (photo.shape[0] - crop) // 2, (photo.shape[1] - crop) // 2
    return photo[top : top + crop, left : left + crop]
