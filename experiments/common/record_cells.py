"""Parts of a paper's page: tables, cells that say how far a training came, and its origin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from common.records import Record
from kerasdenoise.evaluation.pages import table

MISSING = "not run"


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

`{command}` makes this page. It keeps what was trained longest of each; recipes, figures with
standard errors and curves are in the result file. Data: {data or "none"}.

{table((*header, "cores", "seed", "commit"), rows)}
"""
