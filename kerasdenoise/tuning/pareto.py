"""Quality against arithmetic: what is better than all that costs no more."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

# How much of both counts besides the worse of the two.
_BOTH = 0.05

_Item = TypeVar("_Item")


def find_front(
    items: Iterable[_Item], cost: Callable[[_Item], float], quality: Callable[[_Item], float]
) -> list[_Item]:
    """Returns those items that no other is as cheap and better than, the cheapest first."""
    front: list[_Item] = []
    for item in sorted(items, key=lambda each: (cost(each), -quality(each))):
        if not front or quality(item) > quality(front[-1]):
            front.append(item)
    return front


def scalarize(trials: Mapping[str, Any], seed: int) -> None:
    """Gives KerasTuner's trials a score for one weight of quality against arithmetic.

    The weight is another for each number of trials, so that a search for the highest score goes
    along the whole front (Knowles, "ParEGO", IEEE Transactions on Evolutionary Computation
    2006, whose scores these are, from 0 to 1 between the worst and the best so far). Cost counts
    by its logarithm.

    Args:
        trials: Those with both metrics, `psnr` and `mac_per_pixel`, get the score.
        seed: Of the weights.
    """
    done = [trial for trial in trials.values() if trial.status == "COMPLETED"]
    if not done:
        return
    both = np.array(
        [
            (
                trial.metrics.get_best_value("psnr"),
                -math.log(max(1.0, trial.metrics.get_best_value("mac_per_pixel"))),
            )
            for trial in done
        ]
    )
    spread = np.ptp(both, axis=0)
    both = (both - both.max(axis=0)) / np.where(spread > 0, spread, 1.0)
    weight = np.random.default_rng((seed, len(trials))).random()
    weighted = both * (weight, 1 - weight)
    for trial, score in zip(done, weighted.min(axis=1) + _BOTH * weighted.sum(axis=1), strict=True):
        trial.score = float(score)
