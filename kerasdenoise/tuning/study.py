"""A study: a folder that says what is searched, and holds what came of it."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasdenoise.errors import RecipeError, UsageError
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
    """Whether a folder holds a study."""
    return (folder / _FILE).is_file()


def create_study(folder: Path, settings: Settings, space: Space) -> Study:
    """Writes down what is searched.

    Raises:
        UsageError: If the folder holds a study, or is a file.
    """
    check_free(folder)
    study = Study(folder, settings, space)
    write_file(study.space_file, space.text)
    write_json(folder / _FILE, dataclasses.asdict(settings))
    return study


def check_free(folder: Path) -> None:
    """Refuses a folder for a new study.

    Raises:
        UsageError: If it holds a study, or is a file.
    """
    if is_study(folder):
        raise UsageError(folder, "holds a study", "add --resume, or name another by --study")
    if folder.exists() and not folder.is_dir():
        raise UsageError(folder, "is a file", "name a folder by --study")


def open_study(folder: Path) -> Study:
    """Reads what a study is.

    Raises:
        UsageError: If the folder holds none.
    """
    if not is_study(folder):
        raise UsageError(folder, "holds no study", "start one without --resume, or name its folder")
    file = folder / _FILE
    try:
        settings = make(Settings, read_json(file), str(file))
    except RecipeError as error:
        raise UsageError(
            file, f"is of another version of kerasdenoise ({error})", "start another study"
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
                "leave that out, or name another folder by --study",
            )
    if dataclasses.replace(space, text="") != dataclasses.replace(study.space, text=""):
        raise UsageError(
            study.folder,
            "is a study of another search space",
            f"go on with its own by --space {study.space_file}, or name another folder by --study",
        )


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
