"""Measuring files and peers turn by turn, on a tile, a photo and pictures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from kerasdenoise.evaluation.comparison.peak import peak_memory
from kerasdenoise.evaluation.comparison.pictures import Pictures
from kerasdenoise.evaluation.comparison.rows import Row, Timing
from kerasdenoise.evaluation.comparison.speed import time_in_turns
from kerasdenoise.evaluation.comparison.subjects import Prepare, Run, Subject, Task, run_once
from kerasdenoise.metrics import psnr

Say = Callable[[str], None]

_NETWORK = "the network of "
# A tile may take less time than the system gives to a process at once.
_LEAST = 0.5


def compare(
    subjects: Sequence[Subject], task: Task, rounds: int, pictures: Pictures | None, say: Say
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
    tile_peaks = _weigh(subjects, "tile", say)
    photos, networks = _time_photos(subjects, task, rounds, say)
    photo_peaks = _weigh([subject for subject in subjects if subject.photo], "photo", say)
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


def mean_noisy_psnr(pictures: Pictures) -> float:
    """Mean PSNR of the noisy pictures, in dB."""
    return statistics.fmean(psnr(sample.clean, sample.noisy) for sample in pictures)


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


def _weigh(
    subjects: Sequence[Subject], part: Literal["tile", "photo"], say: Say
) -> dict[str, int | None]:
    peaks = {}
    for subject in subjects:
        say(f"memory for a {part}: {subject.title}")
        peaks[subject.title] = peak_memory(partial(run_once, subject, part), subject.title)
    return peaks


def _mean_psnr(subject: Subject, pictures: Pictures, say: Say) -> float | None:
    denoise_pixels = subject.pictures()
    if denoise_pixels is None:
        return None
    say(f"PSNR: {subject.title}")
    return statistics.fmean(
        psnr(sample.clean, np.clip(denoise_pixels(sample.noisy), 0, 1)) for sample in pictures
    )
