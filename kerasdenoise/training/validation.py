"""A fixed, small set of noisy images on which a run's progress is measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from kerasdenoise.data.sources import load_images
from kerasdenoise.errors import RecipeError
from kerasdenoise.metrics import psnr, ssim
from kerasdenoise.noise import Own
from kerasdenoise.pixels import to_pixels
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.dead_units import measure_dead_units
from kerasdenoise.training.noise_level import give_inputs, measure_noise
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks import Task, find_task

# Images that are denoised at a time.
_BATCH = 4


class _Case(NamedTuple):
    """The crops with one corruption: (images, height, width, channels), and their levels."""

    kind: str
    noisy: np.ndarray
    level: np.ndarray
    truth: np.ndarray
    weight: np.ndarray | None = None


class Validation:
    """Denoises the same noisy crops at each checkpoint.

    Args:
        recipe: Says which photos, corruptions and crops.
        root: Folder that the recipe's data folders are relative to.

    Raises:
        RecipeError: If there is no photo as large as a crop.
    """

    def __init__(self, recipe: Recipe, root: Path) -> None:
        crop = recipe.validation.crop_size
        task = find_task(recipe)
        photos = load_images(
            recipe.data.validation,
            root,
            channels=recipe.model.config.channels * task.versions,
            smallest=crop,
            exclude=recipe.data.exclude,
        )[: recipe.validation.images]
        if not photos:
            raise RecipeError(
                "validation", f"has no photo of {crop} pixels", "choose a smaller crop"
            )
        clean = np.stack([to_pixels(_center(photo, crop)) for photo in photos])
        self._wants_images = task.finds_images
        self._cases: list[_Case] = []
        for noise in recipe.validation.noises:
            seed = keras.random.SeedGenerator(recipe.seed)
            images = keras.ops.convert_to_tensor(clean)
            if isinstance(noise, Own):
                self._cases.append(_split(task, noise, images, seed))
                continue
            noisy, expected = noise.draw_pair(images, seed)
            case = noisy, measure_noise(noisy, expected), task.find_truth(expected)
            self._cases.append(_Case(noise.text, *map(keras.ops.convert_to_numpy, case)))

    def measure(self, denoiser: keras.Model) -> dict[str, float]:
        """Returns the mean PSNR in dB for each corruption, results clipped.

        They are compared with what the recipe's task wants: the mean of many noisy images
        (see `Noise.draw_pair`), or its map. Without clean images, noise `own`, what the task
        itself compares with is noisy too: that PSNR is lower, but rises and falls as the other.
        """
        return {case.kind: self._measure(denoiser, case, psnr) for case in self._cases}

    def measure_noisy(self) -> dict[str, float]:
        """Returns the mean PSNR in dB of the noisy images, not clipped, for each corruption.

        Empty where the recipe's task wants something else than images; none of noise `own`.
        """
        if not self._wants_images:
            return {}
        return {
            case.kind: float(
                np.mean([psnr(*pair) for pair in zip(case.truth, case.noisy, strict=True)])
            )
            for case in self._cases
            if case.weight is None
        }

    def measure_ssim(self, denoiser: keras.Model) -> float:
        """Returns the mean SSIM over all corruptions; crops have sides of at least 11."""
        values = [self._measure(denoiser, case, ssim) for case in self._cases]
        return float(np.mean(values))

    def measure_dead_units(self, denoiser: keras.Model) -> float:
        """Returns the share of dead units, by a few images of the first corruption."""
        case = self._cases[0]
        level = case.level[:_BATCH]
        return measure_dead_units(denoiser, array_inputs(denoiser, case.noisy[:_BATCH], level))

    def _measure(
        self,
        denoiser: keras.Model,
        case: _Case,
        figure: Callable[[np.ndarray, np.ndarray], float],
    ) -> float:
        inputs = array_inputs(denoiser, case.noisy, case.level)
        results = denoiser.predict(inputs, batch_size=_BATCH, verbose=0)
        if case.weight is not None:
            return -10 * math.log10(weighted_error(case.truth, results, case.weight))
        results = np.clip(results, 0, 1)
        return float(np.mean([figure(*pair) for pair in zip(case.truth, results, strict=True)]))


def array_inputs(
    denoiser: keras.Model, noisy: np.ndarray, level: np.ndarray
) -> np.ndarray | list[np.ndarray]:
    """Puts together what a network takes, as NumPy arrays: Keras mixes no tensors with them.

    Args:
        denoiser: The network.
        noisy: Float32 images (batch, height, width, channels).
        level: The standard deviation of their noise (batch, 1, 1, 1).
    """
    inputs = give_inputs(denoiser, noisy, level)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, inputs)


def weighted_error(target: np.ndarray, denoised: np.ndarray, weight: np.ndarray) -> float:
    """Mean squared difference where the weight is not 0, of images of one shape."""
    return float((weight * np.square(denoised - target)).mean() / weight.mean())


def _split(task: type[Task], noise: Own, noisy: Tensor, seed: keras.random.SeedGenerator) -> _Case:
    example = task.split(noisy, seed, noise.reach)
    level = keras.ops.zeros((noisy.shape[0], 1, 1, 1))
    case = example.noisy, level, example.target, example.weight
    return _Case(noise.text, *map(keras.ops.convert_to_numpy, case))


def _center(photo: np.ndarray, crop: int) -> np.ndarray:
    top, left = (photo.shape[0] - crop) // 2, (photo.shape[1] - crop) // 2
    return photo[top : top + crop, left : left + crop]
