"""What was measured of files and peers, in one run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kerasdenoise.evaluation.comparison.speed import median_ratio

FFDNET = "FFDNet, random weights"


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
