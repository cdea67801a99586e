"""Training modes: what the network is given and what it is compared with."""

from __future__ import annotations

from collections.abc import Callable

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.noise import Noise
from kerasdenoise.noise.base import Tensor
from kerasdenoise.training.objectives.supervised import supervised

# (clean, noise, seed) -> (input, target)
Objective = Callable[[Tensor, Noise, keras.random.SeedGenerator], tuple[Tensor, Tensor]]

OBJECTIVES: dict[str, Objective] = {"supervised": supervised}


def get_objective(name: str) -> Objective:
    """Looks up a training mode.

    Raises:
        RecipeError: If there is none of that name.
    """
    if name not in OBJECTIVES:
        raise RecipeError(f"objective {name!r}", "is unknown", f"known: {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]
