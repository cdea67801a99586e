"""Compares ways to find good settings in few trials, on made-up scores of a real search space.

    python experiments/bayesian_search.py

Each setting adds a random value to the score, numbers have a best value, and chance adds a little.
No training is needed, so many searches can be compared. For random search, KerasTuner's Bayesian
search and this package's, which all begin with the same random settings, it prints the mean of the
best scores, and how many of the later settings differ by more than a number. Takes some minutes,
mostly for KerasTuner's.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasdenoise.evaluation.pages import table
from kerasdenoise.runtime import prepare_keras

prepare_keras()

import keras_tuner  # noqa: E402
from keras_tuner.engine.hyperparameters import Choice  # noqa: E402
from keras_tuner.engine.trial import Trial  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402

from kerasdenoise.tuning.gaussian_process import draw, propose  # noqa: E402
from kerasdenoise.tuning.space import (  # noqa: E402
    find_space,
    read_space,
    to_hyperparameters,
)

Tried = list[tuple[dict[str, Any], float]]
Score = Callable[[dict[str, Any], np.random.Generator], float]
_CHANCE = 0.05


def make_score(space: keras_tuner.HyperParameters, rng: np.random.Generator) -> Score:
    """Draws what each setting is worth, in units of what a choice usually is."""
    hps = {hp.name: hp for hp in space.space}
    worth = {
        name: rng.normal(size=len(hp.values)) if isinstance(hp, Choice) else rng.random(2)
        for name, hp in hps.items()
    }

    def score(values: dict[str, Any], rng: np.random.Generator) -> float:
        total = float(rng.normal(scale=_CHANCE))
        for name, value in values.items():
            if isinstance(hps[name], Choice):
                total += float(worth[name][hps[name].values.index(value)])
            else:
                best, weight = worth[name]
                total -= float(10 * weight * (hps[name].value_to_prob(value) - best) ** 2)
        return total

    return score


def propose_as_kerastuner(
    space: keras_tuner.HyperParameters, tried: Tried, seed: int
) -> dict[str, Any]:
    """Chooses by KerasTuner's own Gaussian process."""
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        objective=keras_tuner.Objective("psnr", "max"),
        hyperparameters=space,
        seed=seed,
        num_initial_points=len(tried),
    )
    for number, (values, score) in enumerate(tried):
        trial = Trial(space.copy(), trial_id=str(number), status="COMPLETED")
        trial.hyperparameters.values = dict(values)
        trial.score = score
        oracle.trials[trial.trial_id] = trial
    return oracle.populate_space(str(len(tried)))["values"]


def search(
    choose: Callable[[Tried, int], dict[str, Any]], start: Tried, trials: int, score: Score
) -> tuple[float, int]:
    """Returns the best score, and how many of the chosen lists differ."""
    tried, rng = list(start), np.random.default_rng(1)
    while len(tried) < trials:
        values = choose(tried, len(tried))
        tried.append((values, score(values, rng)))
    lists = {
        tuple(value for value in values.values() if not isinstance(value, float))
        for values, _ in tried[len(start) :]
    }
    return max(score for _, score in tried), len(lists)


def main() -> None:
    """Compares, and prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--architecture", default="lambda_net", help="whose space is searched")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--searches", type=int, default=4, help="of other made-up scores each")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=ConvergenceWarning)  # KerasTuner's, at each trial
    architecture, trials = arguments.architecture, arguments.trials
    space = to_hyperparameters(read_space(find_space(architecture), architecture))
    at_random = max(3, trials // 3)
    found: dict[str, list[tuple[float, int]]] = {}
    for seed in range(arguments.searches):
        rng = np.random.default_rng(seed)
        score = make_score(space, rng)
        drawn = [draw(space, {}, rng) for _ in range(at_random)]
        start = [(values, score(values, rng)) for values in drawn]
        choices: dict[str, Callable[[Tried, int], Any]] = {
            "random search": lambda tried, number, rng=rng: draw(space, {}, rng),
            "KerasTuner's Bayesian search": lambda tried, number, seed=seed: propose_as_kerastuner(
                space, tried, seed + number
            ),
            "this package's search": lambda tried, number, seed=seed: propose(
                space, tried, [], np.random.default_rng((seed, number))
            ),
        }
        for name, choose in choices.items():
            found.setdefault(name, []).append(search(choose, start, trials, score))
    rows = []
    for name, results in found.items():
        best = [score for score, _ in results]
        error = statistics.stdev(best) / len(best) ** 0.5 if len(best) > 1 else float("nan")
        different = statistics.mean(count for _, count in results)
        rows.append(
            (
                name,
                f"{statistics.mean(best):.2f} ± {error:.2f}",
                f"{different:.1f} of {trials - at_random}",
            )
        )
    print(table(("search", "best score", "different lists"), rows))


if __name__ == "__main__":
    main()
