"""Measures models on photos of real cameras, and writes docs/real_photos.md.

    python experiments/real_photos.py

A pair is a photo and the mean of many exposures of the same scene. The pairs are development sets:
settings were chosen by them, and no network was trained on them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common.data import add_data_option

from kerasdenoise import Denoiser
from kerasdenoise.evaluation.figures import LOW_FREQUENCY, low_frequency_error
from kerasdenoise.evaluation.noisy_sets import Pairs, Sample, find_pairs
from kerasdenoise.evaluation.pages import table, wrap
from kerasdenoise.evaluation.quality import measure_level
from kerasdenoise.metrics import psnr

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "real_photos.md"
RESULTS = ROOT / "experiments" / "results" / "real_photos.json"
MODELS = ("photo", "photo_tiny", "photo_large")

# What is called what: the folder, and what the names of the camera's files begin with.
CAMERAS = {
    "Sony": ("real/polyu", "Sony"),
    "Canon 600D": ("real/polyu", "Canon"),
    "Canon 5D2": ("real/polyu_canon5d2", ""),
}
STRENGTHS = (0.8, 0.9, 1.0, 1.1, 1.2)


@dataclass(frozen=True)
class Figures:
    """Of one pair and one model; tone in 1/255, and PSNR in dB by strength.

    Attributes:
        noisy: PSNR of the photo.
        psnr: That of the results, by strength.
        tone_noisy: How far the photo's tone is from the truth's: of the low-pass of the difference
            the root mean square.
        tone_denoised: The same of the result.
        tone_changed: The same of what denoising changed.
        level: Estimated level of the noise in the true one; None if the model estimates none.
    """

    noisy: float
    psnr: dict[str, float]
    tone_noisy: float
    tone_denoised: float
    tone_changed: float
    level: float | None


def measure(denoiser: Denoiser, pair: Sample) -> Figures:
    """Measures one pair, float32 (H, W, 3) in [0, 1] both."""
    noisy, truth = pair.noisy, pair.clean
    strengths = [s for s in STRENGTHS if s <= 1 or denoiser.info.follows_level]
    results = {f"{s:g}": np.clip(denoiser.denoise_pixels(noisy, s), 0, 1) for s in strengths}
    return Figures(
        noisy=psnr(noisy, truth),
        psnr={strength: psnr(result, truth) for strength, result in results.items()},
        tone_noisy=low_frequency_error(noisy, truth),
        tone_denoised=low_frequency_error(results["1"], truth),
        tone_changed=low_frequency_error(results["1"], noisy),
        level=measure_level(denoiser, pair),
    )


def load_pairs(data: Path, camera: str, limit: int | None) -> Iterator[Sample]:
    """Yields noisy photo and truth of each pair of a camera."""
    folder, prefix = CAMERAS[camera]
    found = find_pairs(data / folder)
    pairs = Pairs([pair for pair in found if Path(pair[0]).name.startswith(prefix)][:limit])
    yield from map(pairs.load, range(len(pairs.names)))


def draw_patterns() -> Iterator[tuple[str, np.ndarray]]:
    """Yields pictures, uint8 (H, W, 3), that are no noise or whose noise is clipped."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((96, 96))
    cell = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16
    yield "1-bit dither", _picture(rng.random((96, 96)) < 0.33)
    yield "ordered dither", _picture(np.tile(cell, (24, 24)) < 0.5)
    for width in (1, 2, 3):
        yield f"stripes of {width}", _picture(columns // width % 2)
    yield "mesh", _picture((columns % 4 == 0) | (rows % 4 == 0))
    yield "screentone", _picture((columns % 6 - 2.5) ** 2 + (rows % 6 - 2.5) ** 2 < 4)
    for side in (4, 6, 8, 12, 16):
        yield f"icon of {side}x{side}", np.rint(255 * rng.random((side, side, 3))).astype(np.uint8)
    for gray in (0, 2, 20, 128, 250, 255):
        noisy = rng.normal(gray / 255, 0.08, (96, 96, 3)).clip(0, 1)
        yield f"gray {gray}, clipped noise", np.rint(255 * noisy).astype(np.uint8)


def _picture(pattern: np.ndarray) -> np.ndarray:
    return np.repeat(255 * pattern.astype(np.uint8)[..., np.newaxis], 3, axis=2)


def measure_pattern(denoiser: Denoiser, picture: np.ndarray) -> float:
    """The largest change of a channel's mean, in 1/255."""
    change = denoiser(picture).astype(np.float64) - picture
    return float(np.abs(change.mean(axis=(0, 1))).max())


def format_camera(camera: str, model: str, figures: Sequence[Figures]) -> list[object]:
    """Writes a row of the first table: means over pairs, and the median of level ratios."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(each, name) for each in figures]))

    levels = [each.level for each in figures if each.level is not None]
    level = f"{np.median(levels):.2f}" if levels else "-"
    curve = {s: np.mean([each.psnr[s] for each in figures]) for s in figures[0].psnr}
    cells = [f"{curve[f'{s:g}']:.2f}" if f"{s:g}" in curve else "-" for s in STRENGTHS]
    tones = (mean(f"tone_{name}") for name in ("changed", "noisy", "denoised"))
    first = [camera, len(figures), f"`{model}`", f"{mean('noisy'):.2f}"]
    return [*first, *cells, *(f"{tone:.2f}" for tone in tones), level]


def write_page(
    page: Path,
    rows: Sequence[Sequence[object]],
    patterns: Sequence[Sequence[object]],
    models: Sequence[str],
) -> None:
    """Writes both tables."""
    headings = ["camera", "pairs", "model", "noisy", *(f"{s:g}" for s in STRENGTHS)]
    headings += ["tone changed", "photo's error", "result's error", "level"]
    text = f"""# Photos of real cameras

Each pair is a photo and the mean of many exposures of the same scene, from the PolyU data set ([Xu
et al., 2018](https://arxiv.org/abs/1804.02603)). These are development sets: the simulated cameras
were compared with them, and they decided which of several trainings was best.

- **PSNR** in dB, as the mean over pairs, of the noisy photo and of the results at several
  strengths. The best strength should be 1.
- **Tone** is the image smoothed by a Gaussian window of {LOW_FREQUENCY:g} pixels. Three columns
  give root mean squares in 1/255: how much denoising changes the tone, and how far the photo's and
  the result's tone are from the truth.
- **Level**: the estimated noise level divided by the true one, as the median over pairs.

{table(headings, rows)}

## Patterns that are not noise keep their tone

The table shows the largest change of a channel's mean, in 1/255, at full strength. Dithers, screens
and icons look like noise to a network. And if noise was clipped, its mean is not that of the scene.
A denoiser should not guess the right mean, so
[`inference/tone.py`](../kerasdenoise/inference/tone.py) keeps that of the file.

{table(["picture", *(f"`{model}`" for model in models)], patterns)}

This page is written by `python experiments/real_photos.py`.
"""
    page.write_text(wrap(text), "utf-8")


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", nargs="+", metavar="NAME", default=list(MODELS))
    add_data_option(parser)
    parser.add_argument("--limit", type=int, help="measure the first pairs of each camera only")
    parser.add_argument("--page", type=Path, default=PAGE, help="file to write")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for all figures")
    arguments = parser.parse_args()
    denoisers = {model: Denoiser(model) for model in arguments.model}
    rows, results = [], {}
    for camera in CAMERAS:
        for model, denoiser in denoisers.items():
            pairs = load_pairs(arguments.data, camera, arguments.limit)
            figures = [measure(denoiser, pair) for pair in pairs]
            results[f"{camera}, {model}"] = [vars(each) for each in figures]
            rows.append(format_camera(camera, model, figures))
            print(*rows[-1], flush=True)
    patterns = []
    for name, picture in draw_patterns():
        changes = (f"{measure_pattern(each, picture):.2f}" for each in denoisers.values())
        patterns.append([name, *changes])
        print(*patterns[-1], flush=True)
    write_page(arguments.page, rows, patterns, list(denoisers))
    arguments.results.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
