"""Measuring what is not in the cache yet."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from benchmarks.quality.cache import Cache, Row
from benchmarks.quality.methods import Method, of_peer
from benchmarks.quality.sets import Part, Source
from kerasdenoise.errors import InputError
from kerasdenoise.evaluation.benchmark import Failure, Figures, measure
from kerasdenoise.evaluation.peers import Peer
from kerasdenoise.inference.denoiser import Denoiser

_ROUNDS = 3


class Scores(NamedTuple):
    """Figures of one image, or their means: PSNR in dB of the noisy and the denoised image, and
    the denoised image's SSIM."""

    noisy: float
    psnr: float
    ssim: float


def measure_row(
    method: Method, source: Source, cache: Cache, count: int | None = None
) -> list[Scores]:
    """Measures a denoiser on the first images of a set, as far as that was not done before.

    Raises:
        InputError: An image cannot be measured.
    """
    row = Row(method.title, source.images.title, source.noise)
    origin = f"{method.origin}; {source.fingerprint}"
    names = list(source.samples.names[:count])
    known = cache.get(row, origin)
    missing = [index for index, name in enumerate(names) if name not in known]

    def store(outcome: Figures | Failure) -> None:
        if isinstance(outcome, Failure):
            raise InputError(row, outcome.error)
        figures = (outcome.noisy_psnr, outcome.psnr, outcome.ssim)
        values = [round(value, 4) if math.isfinite(value) else None for value in figures]
        cache.put(row, origin, outcome.name, values)

    if missing:
        print(f"{row}: {len(missing)} images", flush=True)
        denoiser = cast(Denoiser, method.prepare(source.noise))
        measure(denoiser, Part(source.samples, missing), on_end=store)
    known = cache.get(row, origin)
    return [_scores(known[name]) for name in names]


def mean(scores: Sequence[Scores]) -> Scores:
    """The mean of each figure over images."""
    return Scores(*(float(value) for value in np.mean(scores, axis=0)))


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
    ready = {method.title: method.prepare(source.noise) for method in methods}
    seconds: dict[str, list[float]] = {title: [] for title in ready}
    for turn in range(_ROUNDS + 1):  # the first is not counted
        for title, denoiser in ready.items():
            start = time.perf_counter()
            denoiser.denoise_pixels(noisy)
            if turn:
                seconds[title].append(time.perf_counter() - start)
    for title, times in seconds.items():
        cache.put(row, origin, title, round(statistics.median(times) / megapixels, 4))
    return cache.get(row, origin)


def _scores(values: Sequence[float | None]) -> Scores:
    """What JSON has no number for is the PSNR of equal images."""
    return Scores(*(math.inf if value is None else value for value in values))
