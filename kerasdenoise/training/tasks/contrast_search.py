"""The contrast that is best on average, which classical diffusion is set to."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import RecipeError
from kerasdenoise.layers.regressors import SharedValues
from kerasdenoise.models._parts import find_layers
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.tasks.supervised import Supervised

# The contrasts that are tried, on the [0, 1] scale.
CONTRASTS = np.geomspace(1 / 255, 1.0, 41).astype(np.float32)

# Errors below this, of 100 dB, count as this: a black image without noise has none at all.
_LEAST_ERROR = 1e-10


class ContrastSearch(Supervised):
    """Sets the `contrast` of classical diffusion to the one that is best on average.

    Each step tries all of `CONTRASTS` on a batch, and sets `contrast` to the one with the
    highest mean PSNR over all images so far. Nothing else of the network changes.

    The slides on learned anisotropic diffusion compare with a mean optimal contrast. Read as
    the mean over images of what is best for each, it is spoiled by patches without edges, for
    which no contrast is too large.

    Takes what `Task` takes.

    Raises:
        RecipeError: If the network has no single fixed contrast.
    """

    objective = "mean_optimal"
    uses_gradients = False

    def __init__(self, denoiser: keras.Model, *args: Any, **kwargs: Any) -> None:
        super().__init__(denoiser, *args, **kwargs)
        # Sums of PSNR; a resumed run continues with them.
        self.scores = self.add_weight((len(CONTRASTS),), "zeros", trainable=False, name="scores")
        self._contrast = find_contrast(denoiser)

    def train_on_batch(self, clean: Tensor, *_: Any, **__: Any) -> dict[str, float]:
        """Tries all contrasts on a batch of patches.

        Returns:
            The `loss`, which is the mean squared error with the contrast that is the best so far.
        """
        compared = self(clean)
        errors = try_contrasts(self.denoiser, compared["inputs"], compared["target"])
        psnr = -10 * np.log10(np.maximum(errors, _LEAST_ERROR))
        scores = keras.ops.convert_to_numpy(self.scores) + psnr.sum(axis=1)
        self.scores.assign(scores)
        best = int(np.argmax(scores))
        self._contrast.assign(CONTRASTS[best : best + 1])
        return {"loss": float(errors[best].mean())}


def find_contrast(denoiser: keras.Model) -> keras.Variable:
    """Finds the contrast of a network that is not trained, a weight of shape (1,).

    Raises:
        RecipeError: If there is none, or several.
    """
    for layer in find_layers(denoiser):
        fixed = isinstance(layer, SharedValues) and not layer.learned
        # Not one for each step, nor a pair for borders and the rest.
        if fixed and layer.name == "contrast" and len(layer.start) == 1:
            return layer.values
    raise RecipeError(
        f"model {denoiser.name}",
        "has no single fixed contrast to search for",
        "choose perona_malik's preset classical",
    )


def try_contrasts(denoiser: keras.Model, inputs: Tensor, target: Tensor) -> np.ndarray:
    """Denoises images with each of `CONTRASTS`; the network's own is left as it was.

    With the best one of an image, diffusion is as good as one contrast for an image can make
    it: an upper bound for what chooses one without knowing the clean image.

    Args:
        denoiser: Diffusion with a fixed contrast.
        inputs: What it takes: noisy images (batch, height, width, channels), or a list of
            these and their noise levels.
        target: The clean images.

    Returns:
        Mean squared errors (contrasts, batch) of the results, clipped to [0, 1].
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
    return np.array(errors)
