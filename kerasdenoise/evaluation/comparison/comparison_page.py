"""What was measured, as a table for people, as a page and as JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from statistics import median
from typing import TextIO

from kerasdenoise import plain_json
from kerasdenoise.evaluation.comparison.compare import Comparison, Goal, Row, Timing
from kerasdenoise.evaluation.comparison.other_networks import FFDNET
from kerasdenoise.evaluation.markdown import table
from kerasdenoise.evaluation.timing import median_ratio

HEADINGS = (
    "",
    "size, KB",
    "tile",
    "tile, ms",
    "tile, speed",
    "tile, MB",
    "photo, s",
    "photo, speed",
    "by network",
    "photo, MB",
    "PSNR, dB",
)
_NONE = "-"
_WIDEST = 1000


def print_comparison(comparison: Comparison, stream: TextIO) -> None:
    """Prints the table and what is asked of the model."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    grid = Table(title=_caption(comparison), title_justify="left", box=SIMPLE_HEAD)
    for heading in HEADINGS:
        # A heading may take two lines, what is below it one.
        justify = "right" if heading else "left"
        grid.add_column(heading.replace(", ", ",\n"), justify=justify, no_wrap=True)
    for row in comparison.rows:
        grid.add_row(row.title, *_cells(comparison, row))
    console = Console(file=stream, markup=False, highlight=False)
    # Where the terminal is too narrow, it breaks the lines, and no number is cut off.
    needed = Measurement.get(console, console.options.update(max_width=_WIDEST), grid).maximum
    console.width = max(needed, console.width if stream.isatty() else 0)
    console.print(grid)
    for goal in comparison.goals():
        text = f"{goal.title.replace('`', '')}: {goal.measured:.2f}, asked {_asked(goal)}"
        console.print(f"{text}, {_verdict(goal)}", soft_wrap=True)


def to_json(comparison: Comparison) -> str:
    """Writes all of it as a JSON object, with the seconds of each round."""
    content = {
        **asdict(comparison),
        "rows": [
            {
                **asdict(row),
                "tile_speed": comparison.speed(row, "tile"),
                "photo_speed": comparison.speed(row, "photo"),
            }
            for row in comparison.rows
        ],
        "goals": [{**asdict(goal), "met": goal.met} for goal in comparison.goals()],
    }
    return plain_json.to_json(content, indent=2) + "\n"


def render_page(comparison: Comparison) -> str:
    """Writes the page in Markdown."""
    sections = [
        _introduction(comparison),
        table(HEADINGS, [[_name(row), *_cells(comparison, row)] for row in comparison.rows]),
        _explanation(comparison),
    ]
    if goals := comparison.goals():
        rows = [
            [goal.title, _asked(goal), f"{goal.measured:.2f}", _verdict(goal)] for goal in goals
        ]
        sections += ["## Goals", table(("", "asked", "measured", ""), rows)]
    sections.append(_machine(comparison))
    return "\n\n".join(sections) + "\n"


def _introduction(comparison: Comparison) -> str:
    images = f" --images FOLDER --limit {comparison.count}" if comparison.pictures else ""
    options = f"{images} --rounds {comparison.rounds} --threads {comparison.threads}"
    return f"""# Speed and memory

`python cli.py benchmark {comparison.model}{options} --page FILE`
measures the files of a saved model and the peers that are installed, and writes this page. How
well they denoise is on [another page](quality.md).

## {_caption(comparison)}"""


def _explanation(comparison: Comparison) -> str:
    first = comparison.rows[0]
    lines = [
        "- *Tile*: pixels that the network alone denoises at once, prepared in memory.",
        "- *Photo*: from file to file, in one process: reading, tiles and their overlap, writing.",
        "- *By network*: the time of the photo by that of the network alone on as many pixels.",
        "- *Speed*: by pixels, as a multiple of the first row's; the median of the rounds' ratios.",
        "- *MB*: the peak of resident memory of a process that does it once, Python included.",
    ]
    if comparison.noisy_psnr is not None:
        lines.append(
            f"- *PSNR*: mean over {_pictures(comparison)}, with Gaussian noise of sigma\n"
            "  25 of 255, clipped and rounded to 8 bits as in files; before denoising it is\n"
            f"  {comparison.noisy_psnr:.2f} dB."
        )
    if any(row.tile and not row.photo and row.psnr for row in comparison.rows):
        lines.append("- A file of one size is for apps; here it denoises no photo.")
    if any(row.title == FFDNET for row in comparison.rows):
        lines.append("- FFDNet's graph runs in the same engine, for its speed alone.")
    if any(row.bytes is None for row in comparison.rows):
        lines.append(
            "- Peers are told sigma, as by `make quality`, and use the threads that they like."
        )
    return f"""`{first.title}` is what `denoise` runs unless told otherwise.
All were timed turn by turn in one run, of which times are medians of {comparison.rounds} rounds.

{chr(10).join(lines)}"""


def _machine(comparison: Comparison) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in comparison.versions.items())
    return f"""## Measured with

Threads of the networks: {comparison.threads}. Processor: {comparison.processor}. {versions}."""


def _caption(comparison: Comparison) -> str:
    photo = comparison.rows[0].photo
    size = f", and a photo of {photo.width} x {photo.height}" if photo else ""
    return f"{comparison.model}: a tile{size}, threads: {comparison.threads}"


def _pictures(comparison: Comparison) -> str:
    if comparison.count == 1:
        return f"the picture {comparison.pictures}"
    return f"the {comparison.count} pictures of {comparison.pictures}"


def _name(row: Row) -> str:
    return f"`{row.title}`" if row.title.endswith(".tflite") else row.title


def _cells(comparison: Comparison, row: Row) -> list[str]:
    return [
        _number(row.bytes, 1e-3, 0),
        f"{row.tile.width} x {row.tile.height}" if row.tile else _NONE,
        _seconds(row.tile, 1e3, 1),
        _speed(comparison.speed(row, "tile")),
        _number(row.tile_peak, 1e-6, 0),
        _seconds(row.photo, 1, 2),
        _speed(comparison.speed(row, "photo")),
        _by_network(row),
        _number(row.photo_peak, 1e-6, 0),
        _number(row.psnr, 1, 2),
    ]


def _speed(ratio: float) -> str:
    return _number(ratio, 1, 2 if ratio >= 0.1 else 4)


def _by_network(row: Row) -> str:
    if row.photo is None or row.network is None:
        return _NONE
    return _number(median_ratio(row.photo.seconds, row.network.seconds), 1, 2)


def _seconds(timing: Timing | None, scale: float, digits: int) -> str:
    return _NONE if timing is None else _number(median(timing.seconds), scale, digits)


def _number(value: float | None, scale: float, digits: int) -> str:
    if value is None or not math.isfinite(value):
        return _NONE
    return f"{scale * value:,.{digits}f}"


def _asked(goal: Goal) -> str:
    return f"{'at least' if goal.at_least else 'at most'} {goal.limit:g}"


def _verdict(goal: Goal) -> str:
    return "met" if goal.met else "missed"
