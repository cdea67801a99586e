"""Which numbers a recipe may have, and which lists need an entry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kerasdenoise.errors import RecipeError

if TYPE_CHECKING:
    from kerasdenoise.training.recipe import Recipe

_TINY = math.ulp(0.0)
_BELOW_ONE = math.nextafter(1.0, 0.0)
# Beyond this, numbers of steps and pixels are no numbers that anyone means.
_MOST = 10**9

# The least and the greatest of each, by section; the entries of no section have none.
_RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "": {"seed": (0, 2**32 - 1)},
    "data": {"patch_size": (1, _MOST), "margin": (0, _MOST), "batch_size": (1, _MOST)},
    "optimization": {
        "steps": (1, _MOST),
        "learning_rate": (_TINY, math.inf),
        "warmup_steps": (0, _MOST),
        "decay_fraction": (0, 1),
        "decay_steps": (0, _MOST),
        "decay_rate": (_TINY, math.inf),
        "beta_2": (0, _BELOW_ONE),
        "momentum": (0, _BELOW_ONE),
        "weight_decay": (0, math.inf),
        "ema_momentum": (0, _BELOW_ONE),
        "global_clipnorm": (0, math.inf),
    },
    "validation": {"interval": (1, _MOST), "images": (1, _MOST), "crop_size": (1, _MOST)},
}
_SHARE = (_TINY, math.inf)

# Lists without which there is nothing to train on or to measure with, by section.
_NEEDED = {"data": ("train", "validation", "scales"), "validation": ("noises",)}


def check_ranges(recipe: Recipe, name: str) -> None:
    """Refuses numbers and empty lists of a recipe with which nothing could be trained.

    Args:
        recipe: The recipe, whose entries are of the right types.
        name: What errors call it.

    Raises:
        RecipeError: There is one.
    """
    for section, ranges in _RANGES.items():
        where = f"{name} [{section}]" if section else name
        for entry, bounds in ranges.items():
            value = getattr(getattr(recipe, section) if section else recipe, entry)
            _check(f"{where} {entry}", value, *bounds)
    for section, entries in _NEEDED.items():
        for entry in entries:
            if not getattr(getattr(recipe, section), entry):
                raise RecipeError(f"{name} [{section}] {entry}", "is empty", "give at least one")
    for noise in recipe.noise:
        _check(f"{name} [[noise]] share", noise.share, *_SHARE)
    for scale in recipe.data.scales:
        _check(f"{name} [data] scales", scale, _TINY, math.inf)


def _check(subject: str, value: float, least: float, greatest: float) -> None:
    # Not the other way round, which would let through what is not a number, or infinite.
    if least <= value <= greatest and math.isfinite(value):
        return
    low = "above 0" if least == _TINY else f"{least:,} or more"
    if greatest == math.inf:
        remedy = f"give {low}"
    elif greatest == _BELOW_ONE:
        remedy = f"give {low}, and less than 1"
    else:
        remedy = f"give {low}, and no more than {greatest:,}"
    raise RecipeError(f"{subject} = {value!r}", "is out of range", remedy)
