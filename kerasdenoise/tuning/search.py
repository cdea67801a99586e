"""The search itself, in one process, or in one of several that share it."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine import base_tuner
from keras_tuner.src import config as tuner_config

from kerasdenoise.errors import KerasDenoiseError, describe_unexpected
from kerasdenoise.plain_json import read_json, write_json
from kerasdenoise.training.build import build_task
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import Progress
from kerasdenoise.tuning.narrator import Narrator
from kerasdenoise.tuning.oracle import Limits, make_oracle
from kerasdenoise.tuning.parameters import active_values, from_hyperparameters, to_hyperparameters
from kerasdenoise.tuning.recipes import Frame, find_frame, make_recipe, values_of
from kerasdenoise.tuning.results import DEATHS, REASON, VALUES
from kerasdenoise.tuning.study import Study
from kerasdenoise.tuning.trial import TrialError, run_trial

# What a trial gives to KerasTuner, besides what the report reads from files.
_METRICS = ("psnr", "ssim", "mac_per_pixel")
# A trial whose process ended so often is not tried again.
_MOST_DEATHS = 2
_PAUSE = 0.1

# Does a trial: its folder, recipe, share of steps, the folder of an earlier part, and whom to tell.
Runner = Callable[[Path, str, float, Path | None, Callable[[Progress], None]], dict[str, Any]]


def search(
    study: Study,
    limits: Limits,
    say: Callable[[str], None],
    run: Runner = run_trial,
    frame: Frame | None = None,
    workers: int = 1,
) -> None:
    """Searches, in the role that KerasTuner's environment variables give this process.

    Args:
        study: What is searched.
        limits: When the search ends.
        say: Takes lines about its progress.
        run: Does a trial.
        frame: What all trials share, if it is known.
        workers: How many processes do trials at the same time.

    Raises:
        KerasDenoiseError: If the study cannot be searched at all.
    """
    # It prints the traceback of each trial that fails, of which the reason is kept anyway.
    tuner_config.DEBUG = False
    oracle = make_oracle(
        study.settings.tuner,
        to_hyperparameters(study.space),
        study.settings.objective,
        study.settings.seed,
        limits,
    )
    study.search.mkdir(parents=True, exist_ok=True)
    narrator = Narrator(study, limits, say, workers)
    if frame is None:
        frame = find_frame(study)
        # What is wrong with all trials is said once, before any.
        build_task(parse_recipe(make_recipe(study, frame, {})))
    tuner = _Tuner(study, frame, oracle, narrator, run)
    with contextlib.redirect_stdout(io.StringIO()):  # which is for pictures and JSON
        tuner.search()


class _Tuner(base_tuner.BaseTuner):
    """Runs trials of a study.

    Args:
        study: The study.
        frame: What all trials share.
        oracle: Chooses their settings.
        narrator: Tells people.
        run: Does a trial.
    """

    def __init__(
        self,
        study: Study,
        frame: Frame,
        oracle: Any,
        narrator: Narrator,
        run: Runner,
    ) -> None:
        super().__init__(oracle, directory=str(study.folder), project_name=study.search.name)
        self._study = study
        self._frame = frame
        self._narrator = narrator
        self._run = run
        self._rounds = getattr(oracle, "max_epochs", 1)
        if not self._is_worker():
            self.oracle.reload()
            # Hyperband goes on as it began, whatever the limit is now.
            self._rounds = getattr(oracle, "max_epochs", 1)

    def save(self) -> None:
        """Writes the oracle's state; a tuner has none of its own."""
        if not self._is_worker():
            self.oracle.save()

    def reload(self) -> None:
        """Does nothing: the oracle's state is read in any case."""

    def pre_create_trial(self) -> None:
        """Waits a little, as KerasTuner asks again and again while others are busy."""
        time.sleep(_PAUSE)

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        """Does a trial, and keeps the reason of one that fails."""
        folder = Path(self.get_trial_dir(trial.trial_id))
        chosen = active_values(trial.hyperparameters)
        values = from_hyperparameters(self._study.space, chosen)
        share = chosen.get("tuner/epochs", self._rounds) / self._rounds
        earlier = chosen.get("tuner/trial_id")
        if not (folder / VALUES).is_file():
            write_json(folder / VALUES, {"values": values_of(values), "share": share})
        self._narrator.begin(trial.trial_id, values_of(values))
        try:
            self._check_deaths(folder)
            figures = self._run(
                folder,
                make_recipe(self._study, self._frame, values),
                share,
                Path(self.get_trial_dir(earlier)) if earlier else None,
                self._narrator.progress,
            )
        except Exception as error:  # of any setting, anything may come
            reason = _describe(error)
            write_json(folder / REASON, reason)
            self._narrator.failed(reason)
            raise keras_tuner.errors.FailedTrialError(reason) from error
        self._narrator.done(figures)
        return {name: float(figures[name]) for name in _METRICS}

    def _check_deaths(self, folder: Path) -> None:
        file = folder / DEATHS
        if file.is_file() and read_json(file) >= _MOST_DEATHS:
            raise TrialError(
                folder,
                f"its process was killed {_MOST_DEATHS} times, as happens when memory runs out",
            )


def _describe(error: Exception) -> str:
    if isinstance(error, KerasDenoiseError):
        return str(error)
    ran_out = "exhausted" in type(error).__name__.lower() or isinstance(error, MemoryError)
    return "out of memory: " * ran_out + describe_unexpected(error)
