"""What denoising an archive costs, on paper: `python benchmarks/archive_costs.py`.

Takes the time and the memory of a 12-megapixel photo from docs/benchmarks.md, and the rest from its
options. Prints the table of docs/scale.md.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from kerasdenoise.evaluation.pages import table

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_SHIPPED = "| `tile.tflite + level.tflite` |"
_MEASURED_MEGAPIXELS = 12.0
# Whether the result exists, the photo, and the result.
_REQUESTS = 3
# For so many photos, a listing of photos, one of results, and a file of records.
_LISTED, _LISTINGS = 1000, 3


def read_measured(page: str) -> tuple[float, int, float]:
    """Returns seconds for a photo, threads, and megabytes of a process, of the shipped model."""
    (row,) = [line for line in page.splitlines() if line.startswith(_SHIPPED)]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    (threads,) = re.findall(r"## photo: .*threads: (\d+)", page)
    return float(cells[6]), int(threads), float(cells[9])


def compute_costs(
    page: str, photos: float, megapixels: float, megabytes: float, days: float
) -> str:
    """Writes the table.

    Args:
        page: The text of docs/benchmarks.md.
        photos: How many.
        megapixels: Of a photo.
        megabytes: Of a photo's file, and of its result's.
        days: Time that the whole may take.
    """
    seconds, threads, memory = read_measured(page)
    core_seconds = photos * seconds * threads * megapixels / _MEASURED_MEGAPIXELS
    processes = core_seconds / (86_400 * days) / threads
    requests = photos * (_REQUESTS + _LISTINGS / _LISTED)
    moved = 2 * photos * megabytes
    rows = [
        ("processor", f"{core_seconds / 3600:,.0f} core-hours"),
        ("cores, all the time", f"{processes * threads:,.0f}"),
        ("memory of their processes", f"{processes * memory / 1e6:,.2f} TB"),
        (
            "network, both ways",
            f"{moved / 1e9:,.1f} PB, {8 * moved / 1e3 / 86_400 / days:,.0f} Gbit/s",
        ),
        ("object store", f"{requests:,.0f} requests, {requests / 86_400 / days:,.0f} per second"),
        ("photos", f"{photos / 86_400 / days:,.0f} per second"),
    ]
    return table([f"{photos:,.0f} photos in {days:g} days", ""], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=float, default=1e9)
    parser.add_argument("--megapixels", type=float, default=12.0)
    parser.add_argument("--megabytes", type=float, default=5.0)
    parser.add_argument("--days", type=float, default=30.0)
    chosen = parser.parse_args(arguments)
    print(compute_costs(PAGE.read_text("utf-8"), **vars(chosen)))


if __name__ == "__main__":
    main()
