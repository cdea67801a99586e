"""What is measured of denoisers, as far as it is not in the cache yet, and all of it together."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from denoisers.methods import Method, of_peer
from denoisers.standard_sets import PAIRS, ImageSet, Source
from kerasdenoise.errors import InputError
from kerasdenoise.evaluation.costs import time_in_turns
from kerasdenoise.evaluation.noisy_sets import Part
from kerasdenoise.evaluation.peers import Peer
from kerasdenoise.evaluation.quality import Failure, Figures, PhotoFigures, measure
from kerasdenoise.files import write_file

Prepare = Callable[[], Callable[[], object]]

_ROUNDS = 3


class Scores(NamedTuple):
    """Figures of one image, or of many; what was not measured is not a number.

    Attributes:
        noisy: PSNR of the noisy image in dB; the mean over images.
        psnr: PSNR of the denoised image.
        ssim: SSIM of the denoised image.
        noisy_tone: Low-frequency error of a noisy photo in 1/255.
        tone: Low-frequency error of the denoised photo.
        level: Estimated level of a photo's noise over the true one; the median over photos.
    """

    noisy: float
    psnr: float
    ssim: float
    noisy_tone: float = math.nan
    tone: float = math.nan
    level: float = math.nan


def measure_row(
    method: Method, source: Source, cache: Cache, count: int | None = None
) -> list[Scores]:
    """Measures a denoiser on the first images of a set, as far as that was not done before.

    Raises:
        InputError: An image cannot be measured.
    """
    row = Row(method.title, source.images.title, source.noise)
    photos = source.noise == PAIRS
    origin = f"{method.origin}; {source.fingerprint}{', tone and level' if photos else ''}"
    names = list(source.samples.names[:count])
    known = cache.get(row, origin)
    missing = [index for index, name in enumerate(names) if name not in known]

    def store(outcome: Figures | Failure) -> None:
        if isinstance(outcome, Failure):
            raise InputError(row, outcome.error)
        figures = [outcome.noisy_psnr, outcome.psnr, outcome.ssim]
        if isinstance(outcome, PhotoFigures):
            level = math.nan if outcome.level_ratio is None else outcome.level_ratio
            figures += [
                outcome.noisy_low_frequency_error,
                outcome.low_frequency_error,
                level,
            ]
        values = [round(value, 4) if math.isfinite(value) else None for value in figures]
        cache.put(row, origin, outcome.name, values)

    if missing:
        print(f"{row}: {len(missing)} images", flush=True)
        part = Part(source.samples, missing)
        measure(method.prepare(source.noise), part, photos=photos, on_end=store)
    known = cache.get(row, origin)
    return [_scores(known[name]) for name in names]


def mean(scores: Sequence[Scores]) -> Scores:
    """The mean of each figure over images, of the level the median."""
    level = float(np.median([each.level for each in scores]))
    return Scores(*np.mean(scores, axis=0).tolist())._replace(level=level)


def choose_setting(peer: Peer, sources: Sequence[Source], cache: Cache) -> Method:
    """The peer with the setting that is best on average over validation images."""
    methods = [of_peer(peer, factor, f"{peer.title}, {factor:g}") for factor in peer.factors]
    if len(methods) == 1:
        return of_peer(peer, peer.factors[0])
    quality = [
        mean([mean(measure_row(method, source, cache)) for source in sources]).psnr
        for method in methods
    ]
    return of_peer(peer, peer.factors[int(np.argmax(quality))])


def time_all(
    methods: Sequence[Method], source: Source, cache: Cache, threads: int
) -> dict[str, float]:
    """Seconds per megapixel of each denoiser, measured on one image in turns.

    Speeds are for comparison within one run; if one is missing all are measured.
    """
    row = Row("all", source.images.title, "seconds per megapixel")
    origin = "; ".join([f"{threads} threads", *(method.origin for method in methods)])
    known: dict[str, Any] = cache.get(row, origin)
    if all(method.title in known for method in methods):
        return known
    print(f"{row}: {len(methods)} denoisers", flush=True)
    noisy = source.samples.load(0).noisy
    megapixels = noisy.shape[0] * noisy.shape[1] / 1e6

    def prepare(method: Method) -> Prepare:
        run = partial(method.prepare(source.noise).denoise_pixels, noisy)
        return lambda: run

    seconds = time_in_turns({method.title: prepare(method) for method in methods}, _ROUNDS)
    for title, times in seconds.items():
        cache.put(row, origin, title, round(statistics.median(times) / megapixels, 4))
    return cache.get(row, origin)


def _scores(values: Sequence[float | None]) -> Scores:
    """What JSON has no number for is the PSNR of equal images, or a level that none estimates."""
    psnr = [math.inf if value is None else value for value in values[:2]]
    return Scores(*psnr, *(math.nan if value is None else value for value in values[2:]))


@dataclass(frozen=True)
class Report:
    """All that was measured.

    Attributes:
        models: The saved models.
        peers: The peers that are installed.
        rows: Figures of each image, in the order of their names.
        seconds: Seconds per megapixel by title.
        threads: The number of threads that these took.
    """

    models: Sequence[Method]
    peers: Sequence[Method]
    rows: Mapping[Row, Sequence[Scores]]
    seconds: Mapping[str, float]
    threads: int

    def count(self, images: str, noise: str) -> int:
        """The most images of a set that any denoiser was measured on."""
        return max((len(self._scores(m.title, images, noise)) for m in self._all), default=0)

    def scores(
        self, method: Method, images: str, noise: str, count: int | None = None
    ) -> Scores | None:
        """Mean figures over all images of a set, or over the first ones.

        None if the denoiser was not measured on all of these.
        """
        wanted = self.count(images, noise)
        wanted = wanted if count is None else min(count, wanted)
        scores = self._scores(method.title, images, noise)[:wanted]
        return mean(scores) if scores and len(scores) == wanted else None

    def models_on(self, *sets: ImageSet) -> list[Method]:
        """The saved models that were measured on any of these sets."""
        titles = {(row.method, row.images) for row in self.rows}
        return [m for m in self.models if any((m.title, s.title) in titles for s in sets)]

    @property
    def _all(self) -> list[Method]:
        return [*self.models, *self.peers]

    def _scores(self, title: str, images: str, noise: str) -> Sequence[Scores]:
        return self.rows.get(Row(title, images, noise), ())


class Row(NamedTuple):
    """What is measured: a denoiser on a set with one kind of noise."""

    method: str
    images: str
    noise: str

    def __str__(self) -> str:
        return " | ".join(self)


class Cache:
    """Figures in a file, which is read and written anew with each figure.

    So a kill loses one, and what another process measures meanwhile is kept. A row is kept together
    with a text that says what determines it; a row of another text is as good as none, and is
    replaced.

    Args:
        file: The file; it need not be there.
        forget: Whether to begin with nothing.
    """

    def __init__(self, file: Path, *, forget: bool = False) -> None:
        self._file = file
        if forget:
            file.unlink(missing_ok=True)

    def get(self, row: Row, origin: str) -> dict[str, Any]:
        """Returns the figures of a row by the images' names; none if it is of another origin."""
        return _figures(self._read(), row, origin)

    def put(self, row: Row, origin: str, name: str, figures: Any) -> None:
        """Adds the figures of one image, and writes the file."""
        rows = self._read()
        rows[str(row)] = {
            "origin": origin,
            "figures": {**_figures(rows, row, origin), name: figures},
        }
        lines = [f"{json.dumps(key)}: {json.dumps(rows[key])}" for key in sorted(rows)]
        write_file(self._file, "{\n" + ",\n".join(lines) + "\n}\n")

    def _read(self) -> dict[str, dict[str, Any]]:
        return json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}


def _figures(rows: dict[str, dict[str, Any]], row: Row, origin: str) -> dict[str, Any]:
    kept = rows.get(str(row), {})
    return kept["figures"] if kept.get("origin") == origin else {}
