"""Results of experiments, kept as JSON: what was done, with what, and what came of it."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasdenoise import __version__
from kerasdenoise.evaluation.pages import table
from kerasdenoise.files import write_file

ROOT = Path(__file__).parents[2]
# The only figure of a training whose loss became infinite.
DIVERGED = "diverged"

# What figures come from.
_SOURCES = ("kerasdenoise", "experiments", "recipes")

MISSING = "not run"


@dataclass(frozen=True)
class Record:
    """One training that was measured, or one study without a training.

    Attributes:
        name: The trial's or study's name.
        title: What tables call it.
        mode: `quick`, `quick_N` or `full`.
        about: What must be equal for two records to be of the same thing.
        seed: Seed of weights, batches and noise.
        data: What the images are.
        figures: What was measured.
        seconds: What the training took, its validation included; of a study, all of it.
        recipe: The training's recipe.
        parameters: Weights that were trained.
        steps: Steps that were done.
        batch: Images in a step.
        full_steps: Steps of the paper.
        full_batch: Images in one of the paper's steps.
        curve: Steps, and the validation PSNR there.
        origin: Commit, version and machine.
    """

    name: str
    title: str
    mode: str
    about: dict[str, Any]
    seed: int
    data: str
    figures: dict[str, Any]
    seconds: float
    recipe: str = ""
    parameters: int = 0
    steps: int = 0
    batch: int = 0
    full_steps: int = 0
    full_batch: int = 0
    curve: list[list[float]] = field(default_factory=list)
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Images seen in training, of those that the paper's training saw; 1 for a study."""
        whole = self.full_steps * self.full_batch
        return self.steps * self.batch / whole if whole else 1.0

    @property
    def has_diverged(self) -> bool:
        """Whether the training's loss became infinite, so that there is nothing to measure."""
        return DIVERGED in self.figures

    @property
    def label(self) -> str:
        """What to write beside a figure of a training that was shorter than the paper's."""
        if self.share >= 1:
            return ""
        return (
            f"partial: {self.steps:,} steps of {self.batch}, "
            f"paper {self.full_steps:,} of {self.full_batch}"
        )


class Watch:
    """Says how something came about, from when it is made: time, commit, machine.

    Seconds of a machine that did other work meanwhile are more than those of an idle one.
    """

    def __init__(self) -> None:
        self._started, self._own, self._all = time.monotonic(), time.process_time(), _busy_seconds()

    @property
    def seconds(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self._started

    @property
    def processor_seconds(self) -> float:
        """Seconds of all cores together that this process took since then."""
        return time.process_time() - self._own

    def describe(self) -> dict[str, Any]:
        """Returns version, commit and machine; `others` is how many cores did other work."""
        others = 0.0
        if self._all is not None:
            busy = (_busy_seconds() or 0.0) - self._all - self.processor_seconds
            others = max(0.0, busy / max(self.seconds, 1e-3))
        return {
            "version": __version__,
            "commit": _git("rev-parse", "--short", "HEAD"),
            "changed": bool(_git("status", "--porcelain", "--", *_SOURCES)),
            "cores": os.cpu_count(),
            "shared": others > 0.2,
            "others": round(others, 2),
        }


def _busy_seconds() -> float | None:
    """Seconds that all cores of the machine have worked; None where no file says so."""
    try:
        with Path("/proc/stat").open() as file:
            user, nice, system, _, _, *interrupts = map(int, file.readline().split()[1:9])
    except OSError:
        return None
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


class Results:
    """The kept records of a paper, in one file that is written anew with each of them.

    Of the same trial the record that was trained longest is kept, so that a quick look never
    replaces a long training's figures.

    Args:
        file: A JSON file; it need not be there.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> dict[str, Record]:
        """Returns the records by their names."""
        return {name: Record(**values) for name, values in self._read()["records"].items()}

    def keep(self, record: Record) -> bool:
        """Adds a record unless a better one of the same is kept; returns whether it was added."""
        content = self._read()
        if record.name in content["records"]:
            kept = Record(**content["records"][record.name])
            if kept.about == record.about and _effort(kept) > _effort(record):
                return False
        content["records"][record.name] = dataclasses.asdict(record)
        self._write(content)
        return True

    def read_times(self) -> dict[str, dict[str, Any]]:
        """Returns how long all took in one go, by mode: wall seconds and processor seconds."""
        return self._read()["times"]

    def keep_time(self, mode: str, time: dict[str, Any]) -> None:
        """Keeps how long all took."""
        content = self._read()
        content["times"][mode] = time
        self._write(content)

    def _read(self) -> dict[str, Any]:
        if not self.file.exists():
            return {"times": {}, "records": {}}
        return json.loads(self.file.read_text("utf-8"))

    def _write(self, content: dict[str, Any]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_file(self.file, json.dumps(content, indent=1) + "\n")


def _effort(record: Record) -> float:
    """Images that a training has seen; of a study, how long its networks were trained."""
    if record.full_steps:
        return record.steps * record.batch
    mode, _, times = record.mode.partition("_")
    return math.inf if mode == "full" else int(times or 1)


def picture(title: str, file: Path) -> str:
    """Shows a picture of the page, as it is seen from the folder of the pages."""
    return f"![{title}](../images/papers/{file.name})"


def cell(record: Record | None, *figures: str, digits: int = 2, label: bool = True) -> str:
    """Writes figures of a record, and how much of the paper's training it had if that is less.

    Args:
        record: None if there is none.
        figures: Their names in the record.
        digits: After the point.
        label: Whether to say that the training was shorter.
    """
    if record is None:
        return MISSING
    if record.has_diverged:
        return "diverged"
    text = " / ".join(f"{record.figures[name]:.{digits}f}" for name in figures)
    return f"{text}<br>{record.label}" if label and record.label else text


def difference(record: Record | None, figure: str, published: float | None) -> str:
    """Writes what a figure is above a published one."""
    if record is None or published is None or record.has_diverged:
        return "-"
    return f"{record.figures[figure] - published:+.2f}"


def describe_records(records: Mapping[str, Record], command: str) -> str:
    """Writes how the figures came about, for the end of a page.

    Args:
        records: All that are on the page.
        command: What makes them.
    """
    rows = []
    for record in records.values():
        origin = record.origin
        shared = "shared" if origin.get("shared") else "idle"
        commit = origin.get("commit", "") + (" + changes" if origin.get("changed") else "")
        rows.append(
            [
                f"`{record.name}`",
                record.mode,
                f"{record.steps:,} x {record.batch}" if record.steps else "-",
                f"{100 * record.share:.3g} %" if record.steps else "-",
                record.figures.get("images", "-"),
                f"{record.seconds:,.0f}",
                f"{origin.get('cores', '?')}, {shared}",
                record.seed or "-",
                commit,
            ]
        )
    header = ("what", "mode", "steps x batch", "of a full training", "test images", "seconds")
    data = ", ".join(dict.fromkeys(record.data for record in records.values() if record.data))
    return f"""## How these figures came about

`{command}` makes this page. It keeps the longest training of each kind. Recipes, curves, and
figures with standard errors are in the result file. Data: {data or "none"}.

{table((*header, "cores", "seed", "commit"), rows)}
"""
