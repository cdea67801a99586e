"""Files and peers timed, weighed and compared: as a table for people, as a page and as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median
from typing import TextIO

from kerasdenoise import plain_json
from kerasdenoise.evaluation.costs import median_ratio, peak_memory, time_in_turns
from kerasdenoise.evaluation.noisy_sets import NoisySet
from kerasdenoise.evaluation.pages import table
from kerasdenoise.evaluation.quality import mean_psnr
from kerasdenoise.evaluation.subjects import FFDNET, Prepare, Run, Subject, Task, run_once

Say = Callable[[str], None]

_NETWORK = "the network of "
# A tile may take less time than the system gives to a process at once.
_LEAST = 0.5

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


@dataclass(frozen=True)
class Timing:
    """The seconds of each round, for so many pixels.

    Attributes:
        height: Rows of pixels.
        width: Pixels in a row.
        seconds: Of each round.
    """

    height: int
    width: int
    seconds: Sequence[float]

    @property
    def per_megapixel(self) -> list[float]:
        """The seconds of each round for a million pixels."""
        return [1e6 * each / (self.height * self.width) for each in self.seconds]


@dataclass(frozen=True)
class Row:
    """Files of a model, or a peer; what was not measured is None.

    Attributes:
        title: What tables call it.
        bytes: The size of the files.
        tile: A single tile, the network alone.
        tile_peak: Bytes of memory that a process takes for that.
        photo: A whole photo, from file to file.
        network: The network alone, on as many pixels as the photo has, in tiles without a halo of
            the size in which the photo is denoised.
        photo_peak: Bytes of memory that a process takes for the photo.
        psnr: Mean PSNR over pictures in dB.
    """

    title: str
    bytes: int | None = None
    tile: Timing | None = None
    tile_peak: int | None = None
    photo: Timing | None = None
    network: Timing | None = None
    photo_peak: int | None = None
    psnr: float | None = None


@dataclass(frozen=True)
class Goal:
    """What a model is asked for, and what it does.

    Attributes:
        title: What is compared.
        measured: What was measured.
        limit: What is asked.
        at_least: Whether more is better.
    """

    title: str
    measured: float
    limit: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether it does."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


@dataclass(frozen=True)
class Comparison:
    """All that was measured.

    Attributes:
        model: The model's name.
        rows: The files that `denoise` runs, unless told otherwise; other files; peers.
        int8: The title of the row of the model's file of 8-bit integers, if it has one.
        threads: The threads of the networks.
        rounds: How many times each was timed.
        pictures: What the set of pictures is called, or None for no pictures.
        count: How many pictures there are.
        noisy_psnr: Mean PSNR of the noisy pictures in dB.
        versions: Of packages, by name.
        processor: What the machine calls its processor.
    """

    model: str
    rows: Sequence[Row]
    int8: str | None
    threads: int
    rounds: int
    pictures: str | None
    count: int
    noisy_psnr: float | None
    versions: Mapping[str, str]
    processor: str

    def speed(self, row: Row, part: str) -> float:
        """How many times as fast as the first row it is.

        Args:
            row: What is compared.
            part: `tile` or `photo`.

        Returns:
            The median ratio over rounds, per pixel; not a number if one was not measured.
        """
        first, other = getattr(self.rows[0], part), getattr(row, part)
        if first is None or other is None:
            return math.nan
        return median_ratio(first.per_megapixel, other.per_megapixel)

    def goals(self) -> list[Goal]:
        """Returns the goals that were measured."""
        first, rows = self.rows[0], {row.title: row for row in self.rows}
        goals = []
        if self.int8 in rows:
            ratio = self.speed(rows[self.int8], "tile")
            title = f"Speed of `{self.int8}` relative to `{first.title}`, one tile"
            goals.append(Goal(title, ratio, 3, at_least=True))
            before, after = first.psnr, rows[self.int8].psnr
            if before is not None and after is not None:
                title = f"Loss of `{self.int8}` in dB"
                goals.append(Goal(title, before - after, 0.1, at_least=False))
        if FFDNET in rows:
            ratio = 1 / self.speed(rows[FFDNET], "tile")
            title = f"Speed of `{first.title}` relative to FFDNet's graph, one tile"
            goals.append(Goal(title, ratio, 8, at_least=True))
        if first.photo is not None and first.network is not None:
            ratio = median_ratio(first.photo.seconds, first.network.seconds)
            title = f"Time of a photo with `{first.title}`, relative to its network alone"
            goals.append(Goal(title, ratio, 2, at_least=False))
        return goals


def compare(
    subjects: Sequence[Subject], task: Task, rounds: int, pictures: NoisySet | None, say: Say
) -> list[Row]:
    """Measures files and peers.

    Args:
        subjects: The files and the peers.
        task: What they do.
        rounds: How many times each is timed.
        pictures: What PSNR is measured on, if anything.
        say: Called with what is about to be measured.

    Returns:
        A row for each of them, in this order.

    Raises:
        KerasDenoiseError: A picture cannot be read, or something cannot be run.
    """
    tiles = _time_tiles(subjects, rounds, say)
    tile_peaks = _weigh({each.title: each.tile for each in subjects}, "tile", say)
    photos, networks = _time_photos(subjects, task, rounds, say)
    photo_peaks = _weigh({each.title: each.photo for each in subjects}, "photo", say)
    rows = [
        Row(
            subject.title,
            bytes=subject.size,
            tile=tiles[subject.title],
            tile_peak=tile_peaks[subject.title],
            photo=photos.get(subject.title),
            network=networks.get(subject.title),
            photo_peak=photo_peaks.get(subject.title),
        )
        for subject in subjects
    ]
    if pictures is None:
        return rows
    return [
        replace(row, psnr=_mean_psnr(subject, pictures, say))
        for row, subject in zip(rows, subjects, strict=True)
    ]


def _time_tiles(subjects: Sequence[Subject], rounds: int, say: Say) -> dict[str, Timing]:
    def keep(run: Run) -> Prepare:
        return lambda: run

    # Kept all the time, so that nothing but the network is timed; a tile takes little memory.
    runs = {subject.title: keep(subject.tile()) for subject in subjects}
    on_round = _teller("a tile", rounds, say)
    seconds = time_in_turns(runs, rounds, least=_LEAST, on_round=on_round)
    return {subject.title: Timing(*subject.shape, seconds[subject.title]) for subject in subjects}


def _time_photos(
    subjects: Sequence[Subject], task: Task, rounds: int, say: Say
) -> tuple[dict[str, Timing], dict[str, Timing]]:
    """Times photos, and right after each the network alone."""
    runs: dict[str, Prepare] = {}
    for subject in subjects:
        if subject.photo:
            runs[subject.title] = subject.photo
        if subject.network:
            runs[_NETWORK + subject.title] = subject.network
    seconds = time_in_turns(runs, rounds, on_round=_teller("a photo", rounds, say))
    photos, networks = {}, {}
    for subject in subjects:
        if subject.photo:
            photos[subject.title] = Timing(task.height, task.width, seconds[subject.title])
        if subject.network:
            share = task.height * task.width / subject.network_pixels
            scaled = [share * each for each in seconds[_NETWORK + subject.title]]
            networks[subject.title] = Timing(task.height, task.width, scaled)
    return photos, networks


def _teller(what: str, rounds: int, say: Say) -> Callable[[int], None]:
    return lambda number: say(f"{what}, round {number} of {rounds}" if number else f"{what}, once")


def _weigh(prepared: Mapping[str, Prepare | None], what: str, say: Say) -> dict[str, int | None]:
    """Peaks of memory, by title, of processes that do something once."""
    peaks = {}
    for title, prepare in prepared.items():
        if prepare is not None:
            say(f"memory for a {what}: {title}")
            peaks[title] = peak_memory(partial(run_once, prepare), title)
    return peaks


def _mean_psnr(subject: Subject, pictures: NoisySet, say: Say) -> float | None:
    if subject.pictures is None:
        return None
    say(f"PSNR: {subject.title}")
    return mean_psnr(pictures, subject.pictures())


def print_comparison(comparison: Comparison, stream: TextIO) -> None:
    """Prints the table and the model's goals."""
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
        text = f"{goal.title.replace('`', '')}: {goal.measured:.2f}, goal {_asked(goal)}"
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
        sections += ["## Goals", table(("", "goal", "measured", ""), rows)]
    sections.append(_machine(comparison))
    return "\n\n".join(sections) + "\n"


def _introduction(comparison: Comparison) -> str:
    images = f" --images FOLDER --limit {comparison.count}" if comparison.pictures else ""
    options = f"{images} --rounds {comparison.rounds} --threads {comparison.threads}"
    return f"""# Speed and memory

`python cli.py benchmark {comparison.model}{options} --page FILE`
measures the files of a saved model and the other denoisers that are installed, and writes this
page. [Quality](quality.md) shows how well they denoise.

## {_caption(comparison)}"""


def _explanation(comparison: Comparison) -> str:
    first = comparison.rows[0]
    lines = [
        "- *Tile*: the network alone, on one tile in memory.",
        "- *Photo*: from file to file in one process, with reading, overlapping tiles and writing.",
        "- *By network*: the photo's time divided by the network's own time for as many pixels.",
        "- *Speed*: per pixel, relative to the first row; the median over rounds.",
        "- *MB*: the peak resident memory of a process that does it once, including Python.",
    ]
    if comparison.noisy_psnr is not None:
        lines.append(
            f"- *PSNR*: mean over {_pictures(comparison)} with Gaussian noise of sigma\n"
            "  25 of 255, clipped and rounded to 8 bits as in files. The noisy images have\n"
            f"  {comparison.noisy_psnr:.2f} dB."
        )
    if any(row.tile and not row.photo and row.psnr for row in comparison.rows):
        lines.append("- Files for one size are for apps; here they denoise only a tile.")
    if any(row.title == FFDNET for row in comparison.rows):
        lines.append("- FFDNet's graph runs in the same engine, only to compare its speed.")
    if any(row.bytes is None for row in comparison.rows):
        lines.append(
            "- Other denoisers are told sigma, as in `make quality`, and choose their own threads."
        )
    return f"""`{first.title}` is what `denoise` runs by default.
All were timed in turns in one run; times are medians of {comparison.rounds} rounds.

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
        return f"the image {comparison.pictures}"
    return f"the {comparison.count} images of {comparison.pictures}"


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
