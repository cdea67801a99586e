"""A study: a folder that says what is searched, and holds what came of it."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasdenoise.errors import InputError, RecipeError, UsageError
from kerasdenoise.files import write_file
from kerasdenoise.parsing import make
from kerasdenoise.plain_json import read_json, write_json
from kerasdenoise.tuning.data import MEASURED_ON, Data
from kerasdenoise.tuning.space import Space, parse_space

TUNERS = ("random", "hyperband", "bayesian")
OBJECTIVES = ("psnr", "ssim", "pareto")
EQUALS = ("steps", "compute")

_FILE = "study.json"
_SPACE = "space.toml"

# A killed search's processes may need so long to notice, in seconds.
_PATIENCE = 15

# What a trial leaves besides KerasTuner's `trial.json` and what `run_trial` writes.
VALUES, REASON, DEATHS = "values.json", "reason.json", "deaths.json"


@dataclass(frozen=True)
class Settings:
    """What a study is, which never changes.

    Attributes:
        architecture: What is tuned.
        tuner: How settings are chosen: one of `TUNERS`.
        objective: What is sought: one of `OBJECTIVES`.
        equal: What all trials get the same of: `steps`, or `compute`, which is multiply-accumulates
            times pixels times steps.
        steps: Steps of a trial, at equal compute of one with the settings of `Space.base`.
        noise: What is removed; as the space says if empty.
        seed: Of everything that is random.
        data: What is trained on.
    """

    architecture: str
    tuner: str
    objective: str
    equal: str
    steps: int
    noise: tuple[str, ...]
    seed: int
    data: Data


@dataclass(frozen=True)
class Study:
    """A study's folder and what it says.

    Attributes:
        folder: Where it is.
        settings: What it is.
        space: What is tuned, as it was read.
    """

    folder: Path
    settings: Settings
    space: Space

    @property
    def search(self) -> Path:
        """The folder of trials."""
        return self.folder / "search"

    @property
    def space_file(self) -> Path:
        """The search space, as a file that `--space` takes."""
        return self.folder / _SPACE

    def remove_if_untried(self) -> None:
        """Takes back a study of which no trial was begun, so that it is in nobody's way."""
        if not any(self.search.glob("trial_*/values.json")):
            (self.folder / _FILE).unlink(missing_ok=True)
            shutil.rmtree(self.folder / MEASURED_ON, ignore_errors=True)


def is_study(folder: Path) -> bool:
    """Whether a folder contains a study."""
    return (folder / _FILE).is_file()


def create_study(folder: Path, settings: Settings, space: Space) -> Study:
    """Writes down what is searched.

    Raises:
        UsageError: If the folder contains a study, or is a file.
    """
    check_free(folder)
    study = Study(folder, settings, space)
    write_file(study.space_file, space.text)
    write_json(folder / _FILE, dataclasses.asdict(settings))
    return study


def check_free(folder: Path) -> None:
    """Refuses a folder for a new study.

    Raises:
        UsageError: If it contains a study, or is a file.
    """
    if is_study(folder):
        raise UsageError(folder, "contains a study", "add --resume, or name another with --study")
    if folder.exists() and not folder.is_dir():
        raise UsageError(folder, "is a file", "name a folder with --study")


def open_study(folder: Path) -> Study:
    """Reads what a study is.

    Raises:
        UsageError: If the folder holds none.
    """
    if not is_study(folder):
        raise UsageError(
            folder, "contains no study", "start one without --resume, or name its folder"
        )
    file = folder / _FILE
    try:
        settings = make(Settings, read_json(file), str(file))
    except RecipeError as error:
        raise UsageError(
            file, f"was written by another version of kerasdenoise ({error})", "start another study"
        ) from error
    text = (folder / _SPACE).read_text("utf-8")
    return Study(folder, settings, parse_space(text, settings.architecture, str(folder / _SPACE)))


def check_same(study: Study, asked: dict[str, Any], space: Space) -> None:
    """Refuses to go on with a study under other settings.

    Args:
        study: The existing study.
        asked: Settings that were asked for, by their names; None where none was.
        space: The space that was asked for.

    Raises:
        UsageError: If one of them is not the study's.
    """
    for name, value in asked.items():
        known = getattr(study.settings, name)
        if value is not None and value != known:
            raise UsageError(
                study.folder,
                f"is a study with {name} {_text(known)}, not {_text(value)}",
                "leave that out, or name another folder with --study",
            )
    if dataclasses.replace(space, text="") != dataclasses.replace(study.space, text=""):
        raise UsageError(
            study.folder,
            "is a study of another search space",
            f"use its own with --space {study.space_file}, or name another folder with --study",
        )


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from the same folder, for as long as this one lives at most.

    Systems without POSIX file locks keep nobody out.

    Raises:
        UsageError: If another process works on it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / ".lock").open("w") as file:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end:
                    raise UsageError(
                        folder, "is being searched by another process", "wait for it or end it"
                    ) from error
                time.sleep(0.2)
        yield


@dataclass(frozen=True)
class Result:
    """A trial.

    Attributes:
        number: Its number, from 1.
        folder: Where it is.
        status: `completed`, `failed` or `running`.
        values: What it has of its own, by name.
        share: The part of its steps that it was to do.
        figures: What `run_trial` returned, if it is completed.
        reason: Why it failed.
    """

    number: int
    folder: Path
    status: str
    values: dict[str, Any]
    share: float = 1.0
    figures: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def seconds(self) -> float:
        """How long it trained."""
        return self.figures.get("seconds", 0.0)


def read_results(study: Study) -> list[Result]:
    """Reads all trials that were begun, in the order of their numbers."""
    results = []
    for folder in sorted(study.search.glob("trial_*")):
        # Those of a search that goes on may come and go meanwhile.
        with contextlib.suppress(InputError):
            if (folder / VALUES).is_file():
                results.append(_read(folder))
    return results


def _read(folder: Path) -> Result:
    begun = read_json(folder / VALUES)
    status = read_json(folder / "trial.json")["status"].lower()
    figures = read_json(folder / "result.json") if status == "completed" else {}
    reason = ""
    if status == "failed":
        file = folder / REASON
        reason = read_json(file) if file.is_file() else "for no reason that was recorded"
    if status not in ("completed", "failed"):
        status = "running"
    return Result(
        number=int(folder.name.removeprefix("trial_")) + 1,
        folder=folder,
        status=status,
        values=begun["values"],
        share=begun["share"],
        figures=figures,
        reason=reason,
    )


def describe_noisy(figures: dict[str, Any]) -> str:
    """Says the PSNR of what a trial denoised, in brackets; empty if it is not known."""
    noisy = figures.get("noisy")
    return "" if noisy is None else f" (noisy {noisy:.2f} dB)"


def find_best(results: list[Result], objective: str) -> Result | None:
    """Returns the best trial among those that did the largest part of their steps."""
    done = [result for result in results if result.status == "completed"]
    if not done:
        return None
    share = max(result.share for result in done)
    figure = "ssim" if objective == "ssim" else "psnr"
    return max(
        (result for result in done if result.share == share),
        key=lambda result: result.figures[figure],
    )


def describe_values(values: dict[str, Any]) -> str:
    """Says what a trial has of its own."""
    return ", ".join(f"{name} {describe_value(value)}" for name, value in values.items())


def describe_value(value: Any) -> str:
    """Says one value, numbers as short as they are exact."""
    if isinstance(value, list | tuple):
        return "/".join(map(describe_value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def describe_duration(seconds: float) -> str:
    """Says a time."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
