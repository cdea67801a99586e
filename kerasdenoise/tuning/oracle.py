"""What chooses settings: KerasTuner's oracles, which lose nothing that was done at a kill."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Container, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine import trial as trials

from kerasdenoise.errors import UsageError
from kerasdenoise.files import write_file
from kerasdenoise.foreign import fault_of_name
from kerasdenoise.plain_json import read_json
from kerasdenoise.tuning.gaussian_process import propose

_FACTOR = 3
_LONGEST = (27, 9, 3)
_ENDED = ("COMPLETED", "FAILED")
# Drawn settings that were all tried before, after which none is left: of 50 settings with a single
# one untried, so many draws miss it once in a billion times.
_COLLISIONS = 1000

# How much of both counts besides the worse of the two.
_BOTH = 0.05


class Limits:
    """When a search ends, and who takes part.

    Args:
        trials: Trials that may be begun in all; None for no limit.
        until: When no trial is begun any more, as `time.time` tells it.
        workers: Names of the processes that take part; None if anybody may.
    """

    def __init__(self, trials: int | None, until: float, workers: Container[str] | None) -> None:
        self.trials = trials
        self.until = until
        self.workers = workers


class Durable:
    """What is changed of each of KerasTuner's oracles.

    Their methods with an underscore are overridden, as nothing public is called when a trial is
    written, drawn or given up.

    - Its files are replaced in one move each, and what a kill between two of them leaves is
      put right: a trial that has ended is never done again, one that has begun is gone on with,
      by the same worker if that takes part, and one that nobody had begun yet is forgotten.
    - The search ends at its `limits`; the longest trial so far says what still fits.
    - With `pareto` set, each trial is chosen for another weight of quality against arithmetic.

    Attributes:
        limits: When the search ends.
        pareto: Whether a front is sought.
    """

    limits: Limits
    pareto = False
    _longest = 0.0
    # When this process gave out the trials that are running: a pause before is no part of them.
    _given: Mapping[str, float] = MappingProxyType({})

    def save(self: Any) -> None:
        """Writes the search's state as KerasTuner reads it, NaN among its figures."""
        write_file(Path(self._get_oracle_fname()), json.dumps(self.get_state()))

    def _save_trial(self: Any, trial: Any) -> None:
        file = Path(self._get_trial_dir(trial.trial_id)) / "trial.json"
        write_file(file, json.dumps(trial.get_state()))

    def reload(self: Any) -> None:
        """Reads the search's state, and puts right what a kill left."""
        file = Path(self._get_oracle_fname())
        if not file.is_file():
            return
        try:
            self._restore(read_json(file))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise UsageError(
                file,
                f"is not the state of a search ({type(error).__name__}: {error})",
                "restore the study, or start another one",
            ) from error
        self._longest = max(map(self._seconds_of, self.trials), default=0.0)
        self._put_right()

    def _restore(self: Any, state: Any) -> None:
        begun = set(state["start_order"])
        for folder in Path(self._project_dir).glob("trial_*"):
            record = folder / "trial.json"
            if folder.name.removeprefix("trial_") not in begun:
                # Written, but not in the state: it is chosen again.
                record.unlink(missing_ok=True)
            elif record.is_file():
                trial = trials.Trial.from_state(read_json(record))
                # A trial is written where its name leads, and may continue another.
                earlier = trial.hyperparameters.values.get("tuner/trial_id", trial.trial_id)
                if folder.name != f"trial_{trial.trial_id}" or fault_of_name(f"trial_{earlier}"):
                    raise ValueError(f"{record} is of another trial")
                self.trials[trial.trial_id] = trial
        self.set_state(state)

    def _put_right(self: Any) -> None:
        running = []
        for trial in self.trials.values():
            if trial.status not in _ENDED:
                running.append(trial.trial_id)
            elif trial.trial_id not in self.end_order:
                self.end_order.append(trial.trial_id)
        mine = self.limits.workers
        self.ongoing_trials = {
            worker: trial
            for worker, trial in self.ongoing_trials.items()
            if trial.trial_id in running and (mine is None or worker in mine)
        }
        taken = {trial.trial_id for trial in self.ongoing_trials.values()}
        self._retry_queue = [name for name in running if name not in taken]

    @keras_tuner.synchronized
    def create_trial(self: Any, tuner_id: str) -> Any:
        """Gives a worker its trial, or tells it that the search is over."""
        if tuner_id not in self.ongoing_trials and self._is_over():
            self.tuner_ids.discard(tuner_id)
            return trials.Trial(self.hyperparameters.copy(), trial_id="", status="STOPPED")
        if self.pareto:
            scalarize(self.trials, self.seed)
        trial = super().create_trial(tuner_id)  # pyright: ignore[reportAttributeAccessIssue]
        self._given = {trial.trial_id: time.time(), **self._given}
        return trial

    def _is_over(self: Any) -> bool:
        if time.time() + self._longest > self.limits.until and self.end_order:
            return True
        full = self.limits.trials is not None and len(self.trials) >= self.limits.trials
        return full and not self._retry_queue

    @keras_tuner.synchronized
    def end_trial(self: Any, trial: Any) -> None:
        """Keeps the time of the longest trial, by which the rest is planned."""
        took = time.time() - self._given.get(trial.trial_id, time.time())
        self._longest = max(self._longest, took, self._seconds_of(trial.trial_id))
        super().end_trial(trial)  # pyright: ignore[reportAttributeAccessIssue]

    def _seconds_of(self: Any, trial_id: str) -> float:
        """How long a trial trained, in all of its parts; 0 if it left no result."""
        file = Path(self._get_trial_dir(trial_id)) / "result.json"
        return read_json(file)["seconds"] if file.is_file() else 0.0


class RandomOracle(Durable, keras_tuner.oracles.RandomSearchOracle):
    """Any settings."""


class BayesianOracle(Durable, keras_tuner.oracles.BayesianOptimizationOracle):
    """Settings where a Gaussian process promises most, after some at random."""

    def populate_space(self: Any, trial_id: str) -> dict[str, Any]:
        """Chooses the settings of a trial, the same ones whenever it is asked again."""
        done = [trial for trial in self.trials.values() if trial.status == "COMPLETED"]
        if len(done) < self.num_initial_points:
            return self._random_populate_space()
        running = [self.trials[trial.trial_id] for trial in self.ongoing_trials.values()]
        values = propose(
            self.hyperparameters,
            [(trial.hyperparameters.values, trial.score) for trial in done],
            [trial.hyperparameters.values for trial in running],
            np.random.default_rng((self.seed, len(self.trials))),
            self._duplicate,
        )
        return {"status": "RUNNING" if values else "STOPPED", "values": values}


class HyperbandOracle(Durable, keras_tuner.oracles.HyperbandOracle):
    """Many short trials, of which the best third goes on to three times the steps, and so on.

    Where a space has fewer settings than a bracket begins with, the bracket goes on with those.
    """

    _begun: Mapping[int, int] = MappingProxyType({})

    def _random_trial(self: Any, trial_id: str, bracket: dict[str, Any]) -> dict[str, Any]:
        response = super()._random_trial(trial_id, bracket)
        if response["status"] == "RUNNING":
            return response
        if not bracket["rounds"][0]:
            self._brackets.remove(bracket)
            return response
        number = bracket["bracket_num"]
        self._begun = {**self._begun, number: len(bracket["rounds"][0])}
        return self.populate_space(trial_id)

    def _get_size(self: Any, bracket_num: int, round_num: int) -> int:
        size = super()._get_size(bracket_num, round_num)
        begun = self._begun.get(bracket_num, math.inf)
        return size if math.isinf(begun) else min(size, math.ceil(begun / self.factor**round_num))


def make_oracle(
    tuner: str,
    hyperparameters: keras_tuner.HyperParameters,
    objective: str,
    seed: int,
    limits: Limits,
) -> Any:
    """Makes what chooses the settings of trials.

    Args:
        tuner: `random`, `hyperband` or `bayesian`.
        hyperparameters: The space.
        objective: `psnr`, `ssim`, or `pareto`.
        seed: Of what is random.
        limits: When the search ends.
    """
    options: dict[str, Any] = {
        "objective": keras_tuner.Objective("psnr" if objective == "pareto" else objective, "max"),
        "hyperparameters": hyperparameters,
        "seed": seed,
        "max_consecutive_failed_trials": sys.maxsize,
    }
    # Limited is the search by `Limits`, whatever the oracle.
    unlimited: Any = None
    if tuner == "hyperband":
        oracle = HyperbandOracle(
            max_epochs=count_rounds(limits.trials),
            factor=_FACTOR,
            hyperband_iterations=sys.maxsize,
            **options,
        )
    elif tuner == "bayesian":
        # KerasTuner's default is three times as many trials at random as there are dimensions.
        first = max(5, len(hyperparameters.space))
        if limits.trials is not None:
            first = max(3, min(first, limits.trials // 3))
        oracle = BayesianOracle(max_trials=unlimited, num_initial_points=first, **options)
    else:
        oracle = RandomOracle(max_trials=unlimited, **options)
    oracle.verbose = 0
    oracle._max_collisions = _COLLISIONS
    oracle.limits = limits
    oracle.pareto = objective == "pareto"
    return oracle


def count_rounds(limit: int | None) -> int:
    """How many times the steps of Hyperband's shortest trials its longest ones have.

    As many as it can be for the first bracket to fit into a number of trials: 1 at 27 after 3
    at 9, 9 at 3 and 27 at 1 are 40, and 1, 3 and 9 are 13.
    """
    sizes = {27: 40, 9: 13, 3: 4}
    if limit is None:
        return 9
    return next((each for each in _LONGEST if sizes[each] <= limit), _LONGEST[-1])


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
