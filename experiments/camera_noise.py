"""Compares simulated camera noise with that of real pairs, in docs/noise.md and its picture.

    python experiments/camera_noise.py

The noise of a real pair is the noisy picture less the mean of many; simulated noise is added to
those means, so that both meet the same content. What is compared does not depend on how strong the
noise is, but for the strength itself: deviation against intensity, correlation in space and between
colors, share of chroma, power against frequency. The table in docs/noise.md has each camera by
itself. The simulation's ranges were chosen by that table: these are development pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common.data import add_data_option

from kerasdenoise.evaluation.pages import write_section

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "camera_noise.png"
TABLE = ROOT / "experiments" / "results" / "camera_noise.json"
PAGE = ROOT / "docs" / "noise.md"

WHITE = "gaussian:12"
SOURCES = {
    "real pairs": None,
    "camera": "camera",
    "camera:reduced": "camera:reduced",
    "white Gaussian": WHITE,
}
BINS = 16
FEWEST = 2000  # pixels that a bin of intensity needs, for a deviation to within 2 %
LAGS = 7
FAR_LAGS = (1, 2, 4, 8)
BLOCK = 128  # side of the blocks whose spectra are averaged
RADII = np.linspace(0.0, 0.5, 17)  # borders of the rings of a spectrum, in cycles per pixel
INTENSITIES = (np.arange(BINS) + 0.5) / BINS
FREQUENCIES = (RADII[1:] + RADII[:-1]) / 2

# JFIF's YCbCr without offsets: luma, then two differences of color.
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])


def measure(noise: np.ndarray, clean: np.ndarray) -> dict[str, np.ndarray]:
    """Measures the noise of one picture.

    Args:
        noise: (height, width, 3), what was added to `clean`, on the [0, 1] scale.
        clean: (height, width, 3) in [0, 1].

    Returns:
        `rms` of 255; `deviation` (3, `BINS`) against intensity, of the picture's mean one;
        `rows`, `columns` and `diagonals` (2, `LAGS`), the correlation of luma and of chroma;
        `colors`, the correlation of R-G, G-B and R-B; `chroma`, its deviation in luma's;
        `far` (2, 4), the correlation of luma and of chroma over `FAR_LAGS` pixels down and
        across; `levels` (2,), the deviation of luma and of R-Y and B-Y, of 255;
        `luma_power` and `chroma_power`, by frequency, 1 where it is as in white noise.
    """
    noise = noise - noise.mean(axis=(0, 1))
    ycc = noise @ _TO_YCC.T
    colors = np.corrcoef(noise.reshape(-1, 3).T)
    deviations = ycc.std(axis=(0, 1))
    differences = noise[..., ::2] - ycc[..., :1]
    far = [_correlation(ycc, *way, lags=FAR_LAGS) for way in ((0, 1), (1, 0))]
    return {
        "rms": 255 * np.sqrt(np.mean(noise**2)),
        "deviation": _by_intensity(noise, clean),
        "rows": _correlation(ycc, 0, 1),
        "columns": _correlation(ycc, 1, 0),
        "diagonals": _correlation(ycc, 1, 1),
        "colors": colors[[0, 1, 0], [1, 2, 2]],
        "chroma": np.sqrt(np.mean(deviations[1:] ** 2)) / deviations[0],
        "far": np.mean(far, axis=0),
        "levels": 255 * np.array([deviations[0], np.sqrt(np.mean(differences**2))]),
        "luma_power": _power(ycc[..., :1]),
        "chroma_power": _power(ycc[..., 1:]),
    }


def _by_intensity(noise: np.ndarray, clean: np.ndarray) -> np.ndarray:
    bins = np.minimum((clean * BINS).astype(int), BINS - 1)
    result = np.full((3, BINS), np.nan)
    for color in range(3):
        places, values = bins[..., color].ravel(), noise[..., color].ravel()
        count = np.bincount(places, minlength=BINS)
        many = count >= FEWEST
        first, second = (np.bincount(places, values**n, BINS)[many] / count[many] for n in (1, 2))
        result[color, many] = np.sqrt(second - first**2)
    return result / np.nanmean(result)


def _correlation(
    ycc: np.ndarray, down: int, right: int, lags: Sequence[int] = range(LAGS)
) -> np.ndarray:
    """Of pixels that lie `lag * (down, right)` apart: luma's, and chroma's pooled."""
    height, width, _ = ycc.shape
    result = []
    for lag in lags:
        y, x = lag * down, lag * right
        product = ycc[: height - y, : width - x] * ycc[y:, x:]
        result.append(product.mean(axis=(0, 1)) / (ycc**2).mean(axis=(0, 1)))
    luma, *chroma = np.transpose(result)
    return np.stack([luma, np.mean(chroma, axis=0)])


def _power(planes: np.ndarray) -> np.ndarray:
    """Averages the power spectrum over blocks, channels and directions."""
    height, width = (side // BLOCK * BLOCK for side in planes.shape[:2])
    blocks = planes[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, -1)
    window = np.hanning(BLOCK)
    blocks = blocks * window[:, None, None, None] * window[:, None]
    spectrum = np.mean(np.abs(np.fft.fft2(blocks, axes=(1, 3))) ** 2, axis=(0, 2, 4))
    along = np.fft.fftfreq(BLOCK)
    ring = np.digitize(np.hypot(along[:, None], along), RADII) - 1
    rings = [spectrum[ring == index].mean() for index in range(len(RADII) - 1)]
    return np.array(rings) / spectrum.mean()


def collect(kind: str | None, pairs: Any, draws: int) -> dict[str, np.ndarray]:
    """Measures all pictures; `kind` is what to add to the clean ones, None their own noise."""
    import keras

    from kerasdenoise.noise import parse_noise

    noise = parse_noise(kind) if kind else None
    results = []
    for index in range(len(pairs.names)):
        sample = pairs.load(index)
        # Sides that are whole JPEG blocks, also of half-resolution chroma.
        height, width = (side // 16 * 16 for side in sample.clean.shape[:2])
        noisy, clean = sample.noisy[:height, :width], sample.clean[:height, :width]
        for draw in range(draws if noise else 1):
            expected = clean
            if noise:
                seed = keras.random.SeedGenerator(1000 * draw + index)
                pair = noise.draw_pair(clean[np.newaxis], seed)
                noisy, expected = (keras.ops.convert_to_numpy(part)[0] for part in pair)
            results.append(measure(noisy.astype(np.float64) - expected, clean))
    return {key: np.stack([result[key] for result in results]) for key in results[0]}


def summarize(values: np.ndarray) -> dict[str, Any]:
    """The median and the 10 % and 90 % quantiles over pictures; NaN where few have a value."""
    enough = np.mean(np.isfinite(values), axis=0) >= 0.2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without any value
        low, median, high = np.nanquantile(values, [0.1, 0.5, 0.9], axis=0)
    return {
        name: np.where(enough, quantile, np.nan)
        for name, quantile in (("low", low), ("median", median), ("high", high))
    }


def write_table(summaries: dict[str, dict[str, Any]], target: Path) -> None:
    """Writes all that was measured as JSON: quantiles over pictures, null where few have any."""
    axes = {
        "intensity": INTENSITIES,
        "lag": np.arange(LAGS),
        "frequency": FREQUENCIES,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_plain({"axes": axes, "sources": summaries}), indent=1)
    # Each list of numbers on one line.
    target.write_text(re.sub(r"\s+(?=[-\d\]n])", " ", text) + "\n", "utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray) and value.ndim:
        return [_plain(entry) for entry in value]
    return round(float(value), 3) if np.isfinite(value) else None


# How each source is drawn: color, width of the line, strength of its band.
STYLES = {
    "real pairs": ("black", 2.2, 0.25),
    "camera": ("tab:orange", 1.6, 0.25),
    "camera:reduced": ("tab:blue", 1.6, 0.15),
    "white Gaussian": ("tab:gray", 1.2, 0.0),
}


def describe(measured: dict[str, dict[str, np.ndarray]]) -> str:
    """Writes the Markdown table of deviations and far correlations.

    Args:
        measured: What `collect` returned: of each camera, of which the mean over pairs is shown,
            and of each source of `SOURCES`, of which the three quantiles over draws are.
    """
    lines = [
        "| noise | pictures | | luma, of 255 | chroma, of 255 | luma lags | chroma lags |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, values in measured.items():
        count = len(values["rms"])
        if name in SOURCES:
            quantiles = {key: summarize(values[key]) for key in ("levels", "far")}
            rows = [
                (title, *(quantiles[key][quantile] for key in ("levels", "far")))
                for title, quantile in (("10 %", "low"), ("50 %", "median"), ("90 %", "high"))
            ]
        else:
            rows = [("mean", values["levels"].mean(axis=0), values["far"].mean(axis=0))]
        for index, (title, levels, far) in enumerate(rows):
            first = (name, str(count)) if index == 0 else ("", "")
            lags = [" ".join(f"{value:z.2f}" for value in row) for row in far]
            cells = (*first, title, *(f"{level:.1f}" for level in levels), *lags)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(summaries: dict[str, dict[str, Any]], target: Path) -> None:
    """Draws nine small panels: medians as lines or points, the middle 80 % as bands or bars."""
    from matplotlib.figure import Figure  # not pyplot, which would look for a display

    figure = Figure(figsize=(10, 9.6), layout="constrained")
    panels = figure.add_gridspec(3, 3)
    for part, name in enumerate(("red", "green", "blue")):
        axes = figure.add_subplot(panels[0, part], ylim=(0, 2.2), xlim=(0, 1))
        axes.set(title=f"Noise by brightness: {name}", xlabel="clean value, 0-1")
        axes.set_ylabel("deviation / picture's mean one")
        _lines(axes, summaries, "deviation", INTENSITIES, part)
    for part, name in enumerate(("luma", "chroma")):
        axes = figure.add_subplot(panels[1, part], ylim=(-0.2, 1.02))
        axes.set(title=f"Size of the grain: {name}", xlabel="distance along a row, pixels")
        axes.set_ylabel("correlation")
        _lines(axes, summaries, "rows", np.arange(LAGS), part)
        axes = figure.add_subplot(panels[2, part], yscale="log", ylim=(0.01, 300))
        axes.set(title=f"Power spectrum: {name}", xlabel="frequency, cycles per pixel")
        axes.set_ylabel("power / mean power")
        _lines(axes, summaries, f"{name}_power", FREQUENCIES, ...)
    axes = figure.add_subplot(panels[1, 2], title="Color: channels together", ylim=(-0.2, 1.02))
    axes.set_ylabel("correlation")
    _ranges(axes, summaries, "colors", ["red, green", "green, blue", "red, blue"])
    corner = panels[2, 2].subgridspec(1, 2)
    left, right = (figure.add_subplot(corner[0, part]) for part in range(2))
    left.set(title="Strength", ylabel="RMS, of 255", yscale="log", ylim=(1.5, 25))
    left.set_yticks([2, 5, 10, 20])
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("")
    _ranges(left, summaries, "rms", [""])
    right.set(title="Colorfulness", ylabel="deviation, chroma / luma", ylim=(0, 1.7))
    _ranges(right, summaries, "chroma", [""])
    for axes in figure.axes:
        axes.grid(alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)


def _lines(axes: Any, summaries: dict[str, Any], key: str, x: np.ndarray, part: Any) -> None:
    for source, summary in summaries.items():
        color, width, strength = STYLES[source]
        low, median, high = (summary[key][name][part] for name in ("low", "median", "high"))
        axes.fill_between(x, low, high, color=color, alpha=strength, linewidth=0)
        axes.plot(x, median, color=color, linewidth=width, label=source)


def _ranges(axes: Any, summaries: dict[str, Any], key: str, names: list[str]) -> None:
    """Draws the quantities of a key side by side, each source as a bar with its median."""
    places = np.arange(len(names))
    for place, (source, summary) in enumerate(summaries.items()):
        color, _, _ = STYLES[source]
        low, median, high = (np.atleast_1d(summary[key][q]) for q in ("low", "median", "high"))
        x = places + 0.18 * (place - (len(summaries) - 1) / 2)
        axes.vlines(x, low, high, color=color, linewidth=6, alpha=0.35)
        axes.plot(x, median, "o", color=color, markersize=5)
    axes.set_xticks(places, names)
    axes.set_xlim(-0.5, len(names) - 0.5)


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description="Compares simulated camera noise with real.")
    add_data_option(parser)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--draws", type=int, default=3, help="of each kind, for each picture")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--table", type=Path, default=TABLE)
    arguments = parser.parse_args()
    for pool in ("INTRA", "INTER"):
        os.environ[f"TF_NUM_{pool}OP_THREADS"] = "1"
    from kerasdenoise.evaluation.noisy_sets import Pairs, find_pairs
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()

    pairs = Pairs(find_pairs(arguments.data / "real/polyu"))
    cameras = {}
    for folder in (pairs, Pairs(find_pairs(arguments.data / "real/polyu_canon5d2"))):
        measured = collect(None, folder, 1)
        names = np.array([name.partition("_")[0] for name in folder.names])
        for camera in dict.fromkeys(names):
            of_it = names == camera
            cameras[camera] = {key: values[of_it] for key, values in measured.items()}
    summaries = {}
    for source, kind in SOURCES.items():
        print(source, file=sys.stderr)
        measured = collect(kind, pairs, 1 if kind == WHITE else arguments.draws)
        summaries[source] = {key: summarize(values) for key, values in measured.items()}
        if kind not in (None, WHITE):
            cameras[source] = measured
    write_table(summaries, arguments.table)
    write_section(arguments.page, "camera noise", describe(cameras))
    draw(summaries, arguments.picture)


if __name__ == "__main__":
    main()
