"""Comparing files and peers: speed, memory and PSNR, measured turn by turn in one run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from kerasdenoise.evaluation.comparison.other_networks import FFDNET
from kerasdenoise.evaluation.comparison.subjects import Prepare, Run, Subject, Task, run_once
from kerasdenoise.evaluation.noisy_sets import NoisySet
from kerasdenoise.evaluation.peak_memory import peak_memory
from kerasdenoise.evaluation.quality import mean_psnr
from kerasdenoise.evaluation.timing import median_ratio, time_in_turns

Say = Callable[[str], None]

_NETWORK = "the network of "
# A tile may take less time than the system gives to a process at once.
_LEAST = 0.5


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
        """What is asked of a model, as far as it was measured."""
        first, rows = self.rows[0], {row.title: row for row in self.rows}
        goals = []
        if self.int8 in rows:
            ratio = self.speed(rows[self.int8], "tile")
            title = f"`{self.int8}` as fast as `{first.title}`, a tile"
            goals.append(Goal(title, ratio, 3, at_least=True))
            before, after = first.psnr, rows[self.int8].psnr
            if before is not None and after is not None:
                title = f"dB that `{self.int8}` loses"
                goals.append(Goal(title, before - after, 0.1, at_least=False))
        if FFDNET in rows:
            ratio = 1 / self.speed(rows[FFDNET], "tile")
            title = f"`{first.title}` as fast as FFDNet's graph, a tile"
            goals.append(Goal(title, ratio, 8, at_least=True))
        if first.photo is not None and first.network is not None:
            ratio = median_ratio(first.photo.seconds, first.network.seconds)
            title = f"`{first.title}`: the time of a photo by that of the network alone"
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
