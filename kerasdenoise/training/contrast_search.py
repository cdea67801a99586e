"""The contrast that is best on average, which classical diffusion is set to."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import RecipeError
from kerasdenoise.layers.shared_values import SharedValues
from kerasdenoise.noise.base import Tensor
from kerasdenoise.training.task import DenoisingTask

# The contrasts that are tried, on the [0, 1] scale.
CONTRASTS = np.geomspace(1 / 255, 1.0, 41).astype(np.float32)


class ContrastSearch(DenoisingTask):
    """Sets the `contrast` of classical diffusion to the mean of what is best for each image.

    Each step tries all of `CONTRASTS` on a batch, takes for each image the one with the least
    squared error, and moves `contrast` to the mean over all images so far. Nothing else of the
    network changes. Takes what `DenoisingTask` takes.

    Raises:
        RecipeError: If the network has no single fixed contrast.
    """

    def __init__(self, denoiser: keras.Model, *args: Any, **kwargs: Any) -> None:
        super().__init__(denoiser, *args, **kwargs)
        self.images = self.add_weight((), "zeros", trainable=False, name="images")
        self._contrast = find_contrast(denoiser)

    def train_on_batch(self, clean: Tensor, *_: Any, **__: Any) -> float:
        """Searches for each of a batch of patches.

        Returns:
            The mean squared error at each image's best contrast.
        """
        compared = self(clean)
        contrast = keras.ops.convert_to_numpy(self._contrast)
        best, errors = best_contrasts(self.denoiser, compared["inputs"], compared["target"])
        before = float(self.images)
        after = before + len(best)
        self.images.assign(after)
        self._contrast.assign((before * contrast + best.sum()) / after)
        return float(errors.mean())


def find_contrast(denoiser: keras.Model) -> keras.Variable:
    """Finds the contrast of a network that is not trained, a weight of shape (1,).

    Raises:
        RecipeError: If there is none, or several.
    """
    for layer in denoiser.layers:
        fixed = isinstance(layer, SharedValues) and not layer.learned
        # Not one for each step, nor a pair for borders and the rest.
        if fixed and layer.name == "contrast" and len(layer.start) == 1:
            return layer.values
    raise RecipeError(
        f"model {denoiser.name}",
        "has no single fixed contrast to search for",
        "choose perona_malik's preset classical",
    )


def best_contrasts(
    denoiser: keras.Model, inputs: Tensor, target: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the contrast that removes the most error from each image, knowing the clean one.

    With it, diffusion is as good as one contrast for an image can make it: an upper bound for
    what chooses one without knowing. The network's own contrast is left as it was.

    Args:
        denoiser: Diffusion with a fixed contrast.
        inputs: What it takes: noisy images (batch, height, width, channels), or a list of
            these and their noise levels.
        target: The clean images.

    Returns:
        For each image the best of `CONTRASTS`, and the mean squared error with it, clipped.
    """
    contrast = find_contrast(denoiser)
    before = keras.ops.convert_to_numpy(contrast)
    target = keras.ops.convert_to_numpy(target)
    errors = []
    for value in CONTRASTS:
        contrast.assign([value])
        denoised = np.clip(denoiser.predict_on_batch(inputs), 0.0, 1.0)
        errors.append(np.square(denoised - target).mean(axis=(1, 2, 3)))
    contrast.assign(before)
    best = np.argmin(errors, axis=0)
    return CONTRASTS[best], np.min(errors, axis=0)
