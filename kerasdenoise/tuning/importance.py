"""How much each hyperparameter matters, by what a forest of trees learns of the trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Fewer trials say nothing about so many settings.
FEWEST = 8
_TREES, _REPEATS = 300, 20
_BEST_SHARE = 4


@dataclass(frozen=True)
class Importance:
    """What the trials say of hyperparameters.

    Attributes:
        shares: The share of each in what all of them explain, by name, the largest first.
        explained: The part of the figure's spread that is foretold of trials that the forest has
            not seen, at most 1; 0 or less means that the shares are chance.
    """

    shares: dict[str, float]
    explained: float


def measure_importance(
    values: Sequence[dict[str, Any]], figures: Sequence[float]
) -> Importance | None:
    """Measures by how much worse a forest foretells the figure with one hyperparameter shuffled.

    The permutation importance of Breiman, "Random forests", Machine Learning 2001.

    Args:
        values: Each trial's values by name; what does not apply to a trial is not in it.
        figures: What each reached.

    Returns:
        The importance, or None if there are fewer than 8 trials or all are alike.
    """
    if len(values) < FEWEST or max(figures) == min(figures):
        return None
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    names = list(dict.fromkeys(name for each in values for name in each))
    columns = np.array([_encode([each.get(name) for each in values], figures) for name in names]).T
    forest = RandomForestRegressor(_TREES, oob_score=True, random_state=0, min_samples_leaf=2)
    forest.fit(columns, figures)
    found: Any = permutation_importance(
        forest, columns, figures, n_repeats=_REPEATS, random_state=0
    )
    drops = np.maximum(found.importances_mean, 0.0)
    shares = drops / drops.sum() if drops.sum() else drops
    order = np.argsort(-shares, kind="stable")
    return Importance(
        {names[index]: float(shares[index]) for index in order}, float(forest.oob_score_)
    )


def describe_best(values: Sequence[Any], figures: Sequence[float]) -> list[Any]:
    """Returns a hyperparameter's values in the best quarter of the trials, sorted, each once."""
    count = max(1, len(values) // _BEST_SHARE)
    order = sorted(range(len(values)), key=lambda index: -figures[index])[:count]
    best = [_hashable(values[index]) for index in order if values[index] is not None]
    if all(isinstance(value, int | float) for value in best):
        return sorted(set(best))
    return sorted(set(best), key=lambda value: (-best.count(value), str(value)))


def is_logarithmic(values: Sequence[Any]) -> bool:
    """Whether numbers are over more than a factor of 20 and so differ by their logarithms."""
    numbers = [value for value in values if value is not None]
    return is_number(numbers) and min(numbers) > 0 and max(numbers) > 20 * min(numbers)


def is_number(values: Sequence[Any]) -> bool:
    """Whether values are numbers, of which there is one."""
    return bool(values) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def _encode(values: list[Any], figures: Sequence[float]) -> list[float]:
    """Numbers as they are or by their logarithms, other values in the order of their figures."""
    given = [value for value in values if value is not None]
    if is_number(given):
        numbers = [math.log(v) if is_logarithmic(given) else float(v) for v in given]
        missing = min(numbers) - 1.0
        rest = iter(numbers)
        return [missing if value is None else next(rest) for value in values]
    kinds = [_hashable(value) for value in values]
    means = {
        kind: np.mean([f for k, f in zip(kinds, figures, strict=True) if k == kind])
        for kind in kinds
    }
    order = sorted(means, key=lambda kind: float(means[kind]))
    return [float(order.index(kind)) for kind in kinds]


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
