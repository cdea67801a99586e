"""What a study has found so far, read from its folder."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasdenoise.errors import InputError
from kerasdenoise.plain_json import read_json
from kerasdenoise.tuning.study import Study

# What a trial leaves besides KerasTuner's `trial.json` and what `run_trial` writes.
VALUES, REASON, DEATHS = "values.json", "reason.json", "deaths.json"


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
