"""Training modes: what the network is given and what it is compared with."""

from __future__ import annotations

from collections.abc import Callable

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.losses import MEAN_SEEKING
from kerasdenoise.noise import Mixture, Noise
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.objectives.border import border, find_borders
from kerasdenoise.training.objectives.example import Example
from kerasdenoise.training.objectives.exposures import exposures
from kerasdenoise.training.objectives.noise2noise import noise2noise
from kerasdenoise.training.objectives.supervised import supervised

# (clean, noise, seed) -> input and target
Objective = Callable[[Tensor, Noise, keras.random.SeedGenerator], Example]

OBJECTIVES: dict[str, Objective] = {
    "supervised": supervised,
    "exposures": exposures,
    "noise2noise": noise2noise,
    "border": border,
    # Nothing is trained but the contrast of classical diffusion, which is searched for.
    "mean_optimal": supervised,
}


def get_objective(name: str) -> Objective:
    """Looks up a training mode.

    Raises:
        RecipeError: If there is none of that name.
    """
    if name not in OBJECTIVES:
        raise RecipeError(f"objective {name!r}", "is unknown", f"known: {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]


def get_truth(name: str) -> Callable[[Tensor], Tensor]:
    """Looks up what a training mode wants of the network: a map from clean images to that."""
    return find_borders if name == "border" else lambda clean: clean


def check_objective(name: str, noise: Noise, loss: str) -> None:
    """Refuses what would teach the network something other than the clean image.

    Args:
        name: The training mode.
        noise: The corruption.
        loss: Name of the loss.

    Raises:
        RecipeError: If noisy targets are compared by a loss that seeks their mean, and their
            mean is not the clean image.
    """
    if name != "noise2noise" or loss not in MEAN_SEEKING or noise.zero_mean:
        return
    parts = noise.noises if isinstance(noise, Mixture) else (noise,)
    kinds = ", ".join(dict.fromkeys(part.kind for part in parts if not part.zero_mean))
    raise RecipeError(
        f"objective {name!r}",
        f"under loss {loss!r} learns the mean of the noisy images, and with {kinds} noise that "
        "is not the clean image",
        'write loss = "l1", which learns the median, if that is; if not, objective = "supervised"',
    )
