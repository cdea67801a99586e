"""Where a Gaussian process of the trials so far promises most.

KerasTuner's own search maximizes over a cube of which each list of choices is one side. What it
finds is rounded to a choice before it is tried, so that the process never learns of the place that
it found, and may find it again and again. Here only what can be tried is looked at
(Garrido-Merchan and Hernandez-Lobato, "Dealing with categorical and integer-valued variables in
Bayesian optimization with Gaussian processes", Neurocomputing 2020), and choices that have no order
are equally far from each other.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.hyperparameters import Choice

# Candidates: so many anywhere, and so many near each of the best.
_ANYWHERE, _BEST, _NEAR = 400, 4, 50
# Of the spread of all scores: what another seed changes.
_CHANCE = 0.1
# How far apart settings may be that still tell of each other.
_LENGTHS = (0.3, 5.0)
_UNKNOWN = 0.5  # where a number is that a trial does not have

Values = Mapping[str, Any]


def propose(
    hyperparameters: keras_tuner.HyperParameters,
    tried: Sequence[tuple[Values, float]],
    running: Sequence[Values],
    rng: np.random.Generator,
    is_known: Callable[[Values], bool] = lambda values: False,
) -> dict[str, Any] | None:
    """Returns the values of the largest expected improvement (Mockus, 1975).

    Candidates are anywhere in the space, or differ in one or two values from one of the best.
    None is one that is known; None is returned where all of them are.

    Args:
        hyperparameters: The space.
        tried: Values and scores of the trials that are done, more being better.
        running: Values of those that are not; they count as if they came out as expected.
        rng: Draws the candidates.
        is_known: Whether values have been tried, or are being tried.
    """
    from scipy.stats import norm
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern

    places = np.array([_place(hyperparameters, values) for values, _ in tried])
    scores = _clip(np.array([score for _, score in tried]))
    process = GaussianProcessRegressor(
        Matern(1.0, _LENGTHS, nu=2.5),
        alpha=_CHANCE**2,
        normalize_y=True,
        n_restarts_optimizer=4,
        random_state=0,
    )
    with warnings.catch_warnings():
        # That the best length is one of the ends is no fault.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(places, scores)
    expected = np.asarray(process.predict(places))
    if running:
        under_way = np.array([_place(hyperparameters, values) for values in running])
        scores = np.concatenate([scores, process.predict(under_way)])
        places = np.concatenate([places, under_way])
        process = GaussianProcessRegressor(
            process.kernel_,
            alpha=_CHANCE**2,
            normalize_y=True,
            optimizer=None,  # pyright: ignore[reportArgumentType]
        ).fit(places, scores)

    best = sorted(tried, key=lambda each: -each[1])[:_BEST]
    candidates = [draw(hyperparameters, {}, rng) for _ in range(_ANYWHERE)]
    candidates += [draw(hyperparameters, values, rng) for values, _ in best for _ in range(_NEAR)]
    candidates = [values for values in candidates if not is_known(values)]
    if not candidates:
        return None
    means, deviations = process.predict(
        np.array([_place(hyperparameters, values) for values in candidates]), return_std=True
    )
    gains = means - expected.max()
    ratios = gains / np.maximum(deviations, 1e-9)
    improvements = gains * norm.cdf(ratios) + deviations * norm.pdf(ratios)
    return candidates[int(np.argmax(improvements))]


def _clip(scores: np.ndarray) -> np.ndarray:
    """Counts what is far worse than the median no worse than the best is better.

    How bad the settings are that diverge says nothing of where the best are.
    """
    median = np.median(scores)
    return np.maximum(scores, median - (scores.max() - median))


def draw(
    hyperparameters: keras_tuner.HyperParameters, start: Values, rng: np.random.Generator
) -> dict[str, Any]:
    """Draws values anywhere in a space, or changes one or two of those to start from."""
    drawn = keras_tuner.HyperParameters()
    changed = set(rng.choice(sorted(start), size=rng.integers(1, 3))) if start else set()
    for hp in hyperparameters.space:
        drawn.merge([hp])
        if drawn.is_active(hp):
            is_kept = hp.name in start and hp.name not in changed
            drawn.values[hp.name] = (
                start[hp.name] if is_kept else hp.random_sample(int(rng.integers(2**31)))
            )
    return drawn.values


def _place(hyperparameters: keras_tuner.HyperParameters, values: Values) -> list[float]:
    """Places values in a space in which the ends of a range and two choices have distance 1."""
    place: list[float] = []
    for hp in hyperparameters.space:
        value = values.get(hp.name)
        is_choice = isinstance(hp, Choice)
        if is_choice and not hp.ordered:
            place += [np.sqrt(0.5) * (value == choice) for choice in hp.values]
        elif value is None:
            place.append(_UNKNOWN)
        elif is_choice:
            place.append(hp.values.index(value) / max(1, len(hp.values) - 1))
        else:
            place.append(hp.value_to_prob(value))
    return place
