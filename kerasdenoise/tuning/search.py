"""The search itself, in one process, or in one of several that share it, and each of its trials."""

from __future__ import annotations

import contextlib
import io
import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.engine import base_tuner
from keras_tuner.src import config as tuner_config

from kerasdenoise.errors import KerasDenoiseError, ModelError, describe_unexpected
from kerasdenoise.evaluation.costs import time_in_turns
from kerasdenoise.export.litert import export_litert
from kerasdenoise.files import new_folder, write_file
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.models import mac_per_pixel
from kerasdenoise.plain_json import read_json, write_json
from kerasdenoise.training.checkpoint import read_log
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import Progress, train
from kerasdenoise.training.tasks import build_task
from kerasdenoise.training.validation import Validation
from kerasdenoise.tuning.oracle import Limits, make_oracle
from kerasdenoise.tuning.recipes import Frame, find_frame, make_recipe, values_of
from kerasdenoise.tuning.space import active_values, from_hyperparameters, to_hyperparameters
from kerasdenoise.tuning.study import (
    DEATHS,
    REASON,
    VALUES,
    Study,
    describe_duration,
    describe_noisy,
    describe_values,
    find_best,
    read_results,
)

if TYPE_CHECKING:
    from kerasdenoise.training.run import Progress
    from kerasdenoise.tuning.oracle import Limits

RESULT, RECIPE, RUN = "result.json", "recipe.toml", "run"

# The picture whose time is taken, as often as needed for its median.
_SIDE, _TIMES = 256, 5

# What a trial gives to KerasTuner, besides what the report reads from files.
_METRICS = ("psnr", "ssim", "mac_per_pixel")
# A trial whose process ended so often is not tried again.
_MOST_DEATHS = 2
_PAUSE = 0.1

# Does a trial: its folder, recipe, share of steps, the folder of an earlier part, and whom to tell.
Runner = Callable[[Path, str, float, Path | None, Callable[[Progress], None]], dict[str, Any]]


class TrialError(KerasDenoiseError):
    """A trial that came to nothing, which is no reason to end the search."""


def run_trial(
    folder: Path,
    recipe_text: str,
    share: float = 1.0,
    earlier: Path | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> dict[str, Any]:
    """Trains and measures; what a killed process left is gone on with.

    Args:
        folder: The trial's folder, where `recipe.toml`, `run` and `result.json` are written.
        recipe_text: The recipe.
        share: The part of its steps that is done.
        earlier: The folder of a trial with the same recipe that did fewer of them.
        report: Called at each checkpoint.

    Returns:
        `psnr` and `ssim`, means over images and noises; `noises`, the PSNR of each; `noisy`, the
        mean PSNR of what was denoised, None where that is not to become clean; `parameters`;
        `mac_per_pixel`; `latency`, LiteRT's milliseconds for a megapixel on one core, or None
        where it cannot run; `steps` done; `seconds` of training and measuring.

    Raises:
        TrialError: If the training leaves the numbers that can be measured.
        KerasDenoiseError: If the recipe builds nothing.
    """
    if (folder / RESULT).is_file():
        return read_json(folder / RESULT)
    keras.backend.clear_session()
    recipe = parse_recipe(recipe_text, str(folder / RECIPE))
    write_file(folder / RECIPE, recipe_text)
    run = folder / RUN
    if earlier is not None and not run.exists():
        _copy(earlier / RUN, run)
    stop = max(1, round(share * recipe.optimization.steps))
    train(recipe, run, Path(recipe.data.root), stop_at=stop, report=report)
    trained = time.monotonic()
    log = read_log(run, stop)
    noises, noisy = log[-1]["psnr"], log[-1].get("noisy")
    _, denoiser = load_run(run)
    result = {
        "psnr": statistics.mean(noises.values()),
        "ssim": Validation(recipe, Path(recipe.data.root)).measure_ssim(denoiser),
        "noises": noises,
        "noisy": statistics.mean(noisy.values()) if noisy else None,
        "parameters": denoiser.count_params(),
        **_measure_cost(denoiser, recipe.model.config),
        "steps": stop,
    }
    result["seconds"] = sum(entry["seconds"] for entry in log) + time.monotonic() - trained
    if not np.isfinite([result["psnr"], result["ssim"]]).all():
        raise TrialError(folder, "produces pixels that are not numbers")
    write_json(folder / RESULT, result)
    return result


def _measure_cost(denoiser: keras.Model, config: Any) -> dict[str, Any]:
    return {
        "mac_per_pixel": mac_per_pixel(denoiser, config.stride),
        "latency": _measure_latency(denoiser, config.stride),
    }


def _measure_latency(denoiser: keras.Model, stride: int) -> float | None:
    side = -(-_SIDE // stride) * stride
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        try:
            export_litert(denoiser, path)
            engine = LiteRTEngine(path, threads=1)
        except ModelError:
            return None
        inputs = {
            name: np.full([side if size < 0 else size for size in shape], 0.5, np.float32)
            for name, shape in engine.input_shapes.items()
        }
        run = partial(engine, inputs)
        seconds = time_in_turns({"tile": lambda: run}, _TIMES)["tile"]
    return 1e9 * statistics.median(seconds) / side**2


def _copy(source: Path, target: Path) -> None:
    """Copies a run in one move: what a killed process leaves of it is no run."""
    with new_folder(target, option="--study") as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)


class Narrator:
    """Says where a search stands: the trial, the best so far, and the time left.

    Args:
        study: What is searched.
        limits: When the search ends.
        say: Takes lines of text.
        workers: How many processes do trials at the same time.
    """

    def __init__(
        self, study: Study, limits: Limits, say: Callable[[str], None], workers: int = 1
    ) -> None:
        self._study = study
        self._limits = limits
        self._say = say
        self._workers = workers
        self._name = ""
        self._began = 0.0

    def begin(self, trial: str, values: dict[str, Any]) -> None:
        """A trial begins."""
        number = int(trial) + 1
        limit = self._limits.trials
        self._name = f"trial {number} of {max(limit, number)}" if limit else f"trial {number}"
        self._began = time.monotonic()
        self._say(f"{self._name}: {describe_values(values)}")

    def progress(self, progress: Progress) -> None:
        """A trial has a checkpoint."""
        mean = statistics.mean(progress.psnr.values())
        parts = [f"step {progress.step} of {progress.steps}, {mean:.2f} dB", self._best()]
        parts.append(self._left(progress.seconds_left))
        self._say(f"{self._name}: {'; '.join(filter(None, parts))}")

    def done(self, figures: dict[str, Any]) -> None:
        """A trial is completed."""
        latency = figures["latency"]
        time_ = f", {latency:.0f} ms per megapixel" if latency is not None else ""
        self._say(
            f"{self._name}: {figures['psnr']:.2f} dB{describe_noisy(figures)}, "
            f"SSIM {figures['ssim']:.3f}, "
            f"{figures['parameters']:,} parameters, {figures['mac_per_pixel']:,} MAC per "
            f"pixel{time_}"
        )

    def failed(self, reason: str) -> None:
        """A trial came to nothing."""
        self._say(f"{self._name}: failed ({reason})")

    def _best(self) -> str:
        best = find_best(read_results(self._study), self._study.settings.objective)
        return f"best {best.figures['psnr']:.2f} dB (trial {best.number})" if best else ""

    def _left(self, of_this: float) -> str:
        results = read_results(self._study)
        ended = [result for result in results if result.status != "running"]
        took = [result.seconds for result in ended if result.seconds]
        left = math.inf
        if self._limits.trials is not None:
            each = statistics.mean(took) if took else time.monotonic() - self._began + of_this
            after = max(0, self._limits.trials - len(results))
            left = of_this + after * each / self._workers
        left = min(left, max(of_this, self._limits.until - time.time()))
        return f"about {describe_duration(left)} left" if math.isfinite(left) else ""


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
    # It prints the traceback of each trial that fails, of which the reason is kept anyway, and
    # has no public setting for that.
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
                f"its process was killed {_MOST_DEATHS} times, for example because memory ran out",
            )


def _describe(error: Exception) -> str:
    if isinstance(error, KerasDenoiseError):
        return str(error)
    ran_out = "exhausted" in type(error).__name__.lower() or isinstance(error, MemoryError)
    return "out of memory: " * ran_out + describe_unexpected(error)
