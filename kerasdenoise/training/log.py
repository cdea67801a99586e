"""A run's record: one JSON line for each checkpoint, and the same as curves."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from kerasdenoise.files import write_by, write_file
from kerasdenoise.runtime import make_figure

_FILE = "log.jsonl"


def read_log(run: Path, step: int) -> list[dict[str, Any]]:
    """Returns the entries up to a step; what a killed run wrote after it is dropped.

    So is all from the first line on that is no entry: a record that was damaged does not keep a run
    from its checkpoint.
    """
    file = run / _FILE
    if not file.exists():
        return []
    entries = []
    for line in file.read_text("utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            if entry["step"] <= step:
                entries.append(entry)
        except (ValueError, KeyError, TypeError, RecursionError):
            break
    return entries


def write_log(run: Path, entries: list[dict[str, Any]]) -> None:
    """Replaces the record in one move; figures that are no numbers stay so, as NaN."""
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    write_file(run / _FILE, lines, option="--run")


def draw_curves(entries: list[dict[str, Any]], target: Path) -> None:
    """Draws loss and validation PSNR over the steps as a PNG."""
    steps = [entry["step"] for entry in entries]
    figure = make_figure(9, 4)
    loss_axes, psnr_axes = figure.subplots(1, 2)
    losses = [entry["loss"] for entry in entries]
    # A loss that is a logarithm itself may be negative.
    loss_axes.plot(steps, losses) if min(losses) <= 0 else loss_axes.semilogy(steps, losses)
    loss_axes.set(xlabel="step", ylabel="training loss")
    for kind in entries[-1]["psnr"]:
        values = [entry["psnr"].get(kind, math.nan) for entry in entries]
        psnr_axes.plot(steps, values, label=kind)
    psnr_axes.set(xlabel="step", ylabel="validation PSNR, dB")
    psnr_axes.legend()
    for axes in (loss_axes, psnr_axes):
        axes.grid(alpha=0.3)
    write_by(target, lambda path: figure.savefig(path, dpi=120), option="--run")
