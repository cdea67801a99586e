"""Compares estimates of the noise level with the truth, and writes docs/noise_level.md.

    python experiments/noise_level.py

The truth is the root mean square of noisy less clean image. It is known for validation photos to
which noise is added, and for real pairs, which are development sets: no network is trained on them.
Compared are models that estimate the level themselves (all saved ones, unless `--model` names
some, which may be folders), the estimate of `kerasdenoise info`, and scikit-image's if that is
installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common.data import add_data_option

from kerasdenoise.evaluation.figures import rms
from kerasdenoise.evaluation.noisy_sets import (
    Corrupted,
    Corruption,
    NoisySet,
    Pairs,
    find_images,
    find_pairs,
)
from kerasdenoise.evaluation.pages import table, wrap
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.inference.noise_estimate import estimate_sigma
from kerasdenoise.zoo import list_models

PAGE = Path(__file__).parents[1] / "docs" / "noise_level.md"
VALIDATION = "validation/cid22"
# Folders of real pairs, and what they are called in the table.
REAL = {"real/polyu": "Sony and Canon 600D", "real/polyu_canon5d2": "Canon 5D2"}
# White noise is equally strong everywhere: there is nothing that a map could follow.
WHITE = [f"gaussian:{sigma}" for sigma in (5, 15, 25, 50)]
CAMERA = [f"camera:{shot}" for shot in (0.001, 0.004, 0.012)]
SEED = 20261124
HEADINGS = ("noise", "images", "level", "estimate by", "ratio", "10 to 90 %", "correlation")

# From noisy pixels to their level: (height, width), or one number for the whole image.
Estimate = Callable[[np.ndarray], np.ndarray | float]


@dataclass(frozen=True)
class Outcome:
    """What one estimate said of one image.

    Attributes:
        true: The level, on the [0, 1] scale.
        estimated: The root mean square of the estimate.
        correlation: Of estimate and truth over the image, or None if the estimate is one number.
    """

    true: float
    estimated: float
    correlation: float | None


def find_estimates(models: Sequence[str] | None) -> dict[str, Estimate]:
    """Lists what is compared, by what it is called in the table."""
    names = models or [info.name for info in list_models() if info.estimates_level]
    estimates: dict[str, Estimate] = {}
    for name in names:
        denoiser = Denoiser(name)
        if not denoiser.info.estimates_level:
            sys.exit(f"{name} estimates no noise level")
        estimates[f"`{denoiser.info.name}`"] = denoiser.estimate_noise
    estimates["`kerasdenoise info`"] = estimate_sigma
    try:
        from skimage.restoration import estimate_sigma as median_estimate
    except ImportError:
        print("scikit-image is not installed, and left out", file=sys.stderr)
    else:

        def peer(noisy: np.ndarray) -> float:
            sigmas = median_estimate(noisy, channel_axis=-1)
            return float(np.sqrt(np.mean(np.square(sigmas))))

        estimates["scikit-image"] = peer
    return estimates


def find_sets(data: Path, limit: int | None) -> Iterator[tuple[str, NoisySet]]:
    """Lists the sets, by what they are called in the table."""
    files = find_images(data / VALIDATION)[:limit]
    for kind in (*WHITE, *CAMERA):
        yield f"`{kind}`", Corrupted(files, Corruption(kind), SEED)
    for folder, cameras in REAL.items():
        yield cameras, Pairs(find_pairs(data / folder)[:limit])


def measure(samples: NoisySet, estimates: dict[str, Estimate]) -> dict[str, list[Outcome]]:
    """Asks every estimate about every image of a set."""
    from kerasdenoise.training.noise_level import measure_level

    outcomes: dict[str, list[Outcome]] = {name: [] for name in estimates}
    for index in range(len(samples.names)):
        sample = samples.load(index)
        height, width = (side // 8 * 8 for side in sample.clean.shape[:2])
        noisy, clean = (each[:height, :width] for each in (sample.noisy, sample.clean))
        true = rms(noisy - clean)
        there = np.asarray(measure_level(noisy[np.newaxis], clean[np.newaxis]))[0, ..., 0]
        for name, estimate in estimates.items():
            level = np.asarray(estimate(noisy))
            correlation = _correlate(level, there) if level.ndim else None
            outcomes[name].append(Outcome(true, rms(level), correlation))
    return outcomes


def _correlate(level: np.ndarray, there: np.ndarray) -> float:
    """Correlates both over cells of 8x8 pixels, for which the truth is measured."""
    height, width = there.shape
    cells = level.reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
    return float(np.corrcoef(cells.ravel(), there[::8, ::8].ravel())[0, 1])


def format_row(noise: str, name: str, outcomes: Sequence[Outcome]) -> tuple[object, ...]:
    """Writes the cells of an estimate on a set."""
    true = 255 * np.array([outcome.true for outcome in outcomes])
    ratios = np.array([outcome.estimated / outcome.true for outcome in outcomes])
    low, middle, high = np.quantile(ratios, (0.1, 0.5, 0.9))
    known = [each.correlation for each in outcomes if each.correlation is not None]
    is_white = noise.strip("`") in WHITE
    correlation = f"{np.median(known):.2f}" if known and not is_white else "-"
    span = f"{low:.2f} to {high:.2f}"
    level, ratio = f"{np.median(true):.1f}", f"{middle:.2f}"
    return noise, len(outcomes), level, name, ratio, span, correlation


def write_page(page: Path, rows: Sequence[Sequence[object]], command: str) -> None:
    """Writes the table of all rows."""
    text = f"""# How strong is the noise?

The noise level is the standard deviation of the noise. Here, estimates made from the noisy image
alone are compared with the truth, which is the root mean square of the difference between the noisy
and the clean image, on the photos of `{VALIDATION}` with known noise, and on real pairs from three
cameras. The clean image of a real pair is the mean of many photos ([the strength that suits them
best](real_photos.md)).

- **Level**: the true level on the 0-255 scale, as the median over images.
- **Ratio**: the root mean square of the estimate, divided by the true level, as the median over
  images and the range from the 10th to the 90th percentile.
- **Correlation**: how well the estimate follows the true level within an image, in cells of 8x8
  pixels, as the median over images. The true level of a cell includes its neighbors. There is no
  correlation for an estimate that is a single number, or for white noise, which is equally strong
  everywhere.

`kerasdenoise info` measures flat blocks (`kerasdenoise.inference.noise_estimate.estimate_sigma`).
scikit-image takes the median of the finest diagonal wavelet coefficients, which suits white noise.

{table(HEADINGS, rows)}

This page is written by `python {command}`.
"""
    page.write_text(wrap(text), "utf-8")


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", nargs="+", metavar="NAME", help="default: all that estimate")
    add_data_option(parser)
    parser.add_argument("--limit", type=int, help="measure the first images of each set only")
    parser.add_argument("--page", type=Path, default=PAGE, help="file to write")
    arguments = parser.parse_args()
    estimates = find_estimates(arguments.model)
    rows = []
    for noise, samples in find_sets(arguments.data, arguments.limit):
        for name, outcomes in measure(samples, estimates).items():
            rows.append(format_row(noise, name, outcomes))
            print(*rows[-1], flush=True)
    options = ["--model", *arguments.model] if arguments.model else []
    options += ["--limit", str(arguments.limit)] if arguments.limit else []
    write_page(arguments.page, rows, " ".join(["experiments/noise_level.py", *options]))


if __name__ == "__main__":
    main()
