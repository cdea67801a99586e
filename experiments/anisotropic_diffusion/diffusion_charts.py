"""Charts of the slides on learned anisotropic diffusion, one column for each corruption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anisotropic_diffusion.trials import NETWORKS, NOISES, PARTITIONED, PIECES
from kerasdenoise.evaluation.pages import COLORS, start_figure

if TYPE_CHECKING:
    from common.records import Record

HELD, NOT_HELD = "#3d7a2f", "#b3261e"


def draw_curves(records: Mapping[str, Record], target: Path) -> bool:
    """Draws PSNR and SSIM over the noise levels; returns whether there was anything to draw."""
    figure, grid = start_figure(2, len(NOISES), (14, 6))
    handles: dict[str, Any] = {}
    for column, (key, noise) in enumerate(NOISES.items()):
        found = {name: records[f"{name}_{key}"] for name in NETWORKS if f"{name}_{key}" in records}
        found = {name: each for name, each in found.items() if "psnr_levels" in each.figures}
        for axes, measure in zip(grid[:, column], ("psnr", "ssim"), strict=True):
            for first in list(found.values())[:1]:
                values = first.figures[f"noisy_{measure}_levels"]
                (handles["noisy"],) = axes.plot(noise.levels, values, ":", color="black", lw=1.5)
            for name, record in found.items():
                number = list(NETWORKS).index(name)
                style = "s--" if name == "classical" else "o-"
                (handles[NETWORKS[name]],) = axes.plot(
                    noise.levels,
                    record.figures[f"{measure}_levels"],
                    style,
                    ms=4,
                    color=COLORS[number],
                )
        grid[0, column].set_title(noise.title, fontsize=11)
        grid[1, column].set_xlabel(noise.unit)
    grid[0, 0].set_ylabel("PSNR, dB")
    grid[1, 0].set_ylabel("SSIM")
    if handles:
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=5, fontsize=9
        )
        figure.savefig(target, dpi=100)
    return bool(handles)


def draw_partition(records: Mapping[str, Record], target: Path) -> bool:
    """Draws PSNR over noise level and pieces as heat-maps, colored by what finer pieces add."""
    figure, grid = start_figure(1, len(PARTITIONED), (10, 3.8))
    image = None
    for axes, key in zip(grid[0], PARTITIONED, strict=True):
        found = {n: _find_pieces(records, n, key) for n in PIECES}
        pieces = [n for n in PIECES if found[n] is not None]
        if len(pieces) < 2:
            continue
        values = np.array([found[n].figures["psnr_levels"] for n in pieces]).T
        gains = values - values[:, :1]
        image = axes.imshow(gains, cmap="RdYlGn", vmin=-1, vmax=1, aspect="auto", origin="lower")
        for row, column in np.ndindex(values.shape):
            text = f"{values[row, column]:.2f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=9)
        axes.set_xticks(range(len(pieces)), pieces)
        axes.set_yticks(range(len(NOISES[key].levels)), [f"{n:g}" for n in NOISES[key].levels])
        axes.set(xlabel="pieces of the P1 function", ylabel=NOISES[key].unit)
        axes.set_title(f"{NOISES[key].title}: PSNR in dB", fontsize=11)
        axes.grid(False)
    if image is not None:
        label = "dB above the coarsest partition"
        figure.colorbar(image, ax=grid[0].tolist(), label=label, extend="both")
        figure.savefig(target, dpi=110)
    return image is not None


def draw_functions(records: Mapping[str, Record], target: Path) -> bool:
    """Draws the trained P1 functions of every partition, and what they started from."""
    figure, grid = start_figure(1, len(PARTITIONED), (10, 4))
    drawn = False
    start = np.linspace(0, 1, 101)
    for axes, key in zip(grid[0], PARTITIONED, strict=True):
        axes.plot(start, np.exp(-((start / 0.3) ** 2)), ":", color="black", label="at the start")
        for number, pieces in enumerate(PIECES):
            record = _find_pieces(records, pieces, key)
            if record is None or "function" not in record.figures:
                continue
            values = record.figures["function"]
            places = np.linspace(0, 1, len(values))
            axes.plot(places, values, "o-", ms=3, color=COLORS[number], label=f"{pieces} pieces")
            drawn = True
        axes.axhline(0, color="black", lw=0.6)
        axes.set(xlabel="edge indicator, share of its largest", ylabel="coefficient")
        axes.set_title(f"{NOISES[key].title}, level {NOISES[key].shown:g}", fontsize=11)
        axes.legend(fontsize=9)
    if drawn:
        figure.savefig(target, dpi=110)
    return drawn


def _find_pieces(records: Mapping[str, Record], pieces: int, noise: str) -> Any:
    record = records.get(f"p1_{noise}" if pieces == 20 else f"p1_{pieces}_{noise}")
    return None if record is None or "psnr_levels" not in record.figures else record


def draw_edginess(points: Mapping[str, tuple[np.ndarray, np.ndarray]], target: Path) -> None:
    """Draws edginess over the noise level, and each denoised image's PSNR against it.

    Args:
        points: By noise: edginess of the noisy images as a multiple of the clean ones', and PSNR
            of the denoised ones, (levels, images) each.
        target: The file to write.
    """
    figure, grid = start_figure(2, len(NOISES), (14, 6))
    for column, (key, (ratios, psnr)) in enumerate(points.items()):
        noise, (above, below) = NOISES[key], grid[:, column]
        above.plot(noise.levels, ratios.mean(axis=1), "o-", ms=4, color=COLORS[0])
        low, high = np.percentile(ratios, [10, 90], axis=1)
        above.fill_between(noise.levels, low, high, color=COLORS[0], alpha=0.15, lw=0)
        above.axhline(1, color="black", lw=0.8, ls=":")
        above.set_title(noise.title, fontsize=11)
        above.set_xlabel(noise.unit)
        for number, level in enumerate(noise.levels):
            below.plot(
                ratios[number],
                psnr[number],
                "o",
                ms=4,
                alpha=0.7,
                color=COLORS[number],
                label=f"{level:g}",
            )
        below.legend(fontsize=8, title="level", title_fontsize=8)
        below.set_xlabel("edginess, multiple of clean")
    grid[0, 0].set_ylabel("edginess, multiple of clean")
    grid[1, 0].set_ylabel("PSNR of each denoised image, dB")
    figure.savefig(target, dpi=100)


def draw_border_gains(gains: Mapping[str, Mapping[str, Sequence[float]]], target: Path) -> None:
    """Draws what telling borders apart adds, with intervals.

    Args:
        gains: By `function_1 psnr` and so on, by noise: difference and ends of its interval.
        target: The file to write.
    """
    figure, grid = start_figure(1, 2, (10, 3.8))
    titles = {"function_1": "contrasts", "p1": "P1 functions"}
    for axes, measure, unit in zip(grid[0], ("psnr", "ssim"), ("PSNR, dB", "SSIM"), strict=True):
        for number, (name, title) in enumerate(titles.items()):
            values = gains[f"{name} {measure}"]
            for place, key in enumerate(NOISES):
                if key not in values:
                    continue
                value, low, high = values[key]
                x = place + 0.3 * (number - 0.5)
                axes.plot([x, x], [low, high], color=COLORS[number], lw=2)
                axes.plot(x, value, "o", color=COLORS[number], ms=6)
            if values:
                label = f"two {title}, less one"
                axes.plot([], [], "o-", color=COLORS[number], label=label)
        axes.axhline(0, color="black", lw=0.8)
        axes.set_xticks(range(len(NOISES)), [each.title for each in NOISES.values()], fontsize=8)
        axes.set_title(f"{unit}: above zero, borders help", fontsize=11)
        axes.legend(fontsize=8)
    figure.savefig(target, dpi=110)


def draw_findings(findings: Sequence[Mapping[str, Any]], target: Path) -> None:
    """Draws every finding with its interval: green where the claim held, red where not."""
    columns = [
        [each for each in findings if each["unit"] == "dB"],
        [each for each in findings if each["unit"] != "dB"],
    ]
    height = 0.24 * max(map(len, columns)) + 1.2
    figure, grid = start_figure(1, 2, (14, height))
    for axes, rows in zip(grid[0], columns, strict=True):
        rows = sorted(rows, key=lambda each: each["claim"])
        for place, each in enumerate(reversed(rows)):
            color = HELD if each["held"] else NOT_HELD
            axes.plot([each["low"], each["high"]], [place, place], color=color, lw=2)
            axes.plot(each["value"], place, "o" if each["held"] else "X", color=color, ms=6)
        names = [_name(each) for each in reversed(rows)]
        axes.set_yticks(range(len(rows)), names, fontsize=8)
        axes.axvline(0, color="black", lw=0.8)
        axes.set_xscale("symlog", linthresh=1 if rows and rows[0]["unit"] == "dB" else 0.1)
    grid[0, 0].set_title("differences in dB", fontsize=11)
    grid[0, 1].set_title("edginess as a share, rank correlation, SSIM", fontsize=11)
    for axes in grid[0]:
        axes.xaxis.set_major_formatter("{x:g}")
    for color, mark, label in ((HELD, "o", "the claim held"), (NOT_HELD, "X", "it did not")):
        grid[0, 0].plot([], [], f"{mark}-", color=color, label=label)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    figure.savefig(target, dpi=100)


def _name(finding: Mapping[str, Any]) -> str:
    noise = (
        NOISES[finding["noise"]].title
        if finding["noise"] in NOISES
        else finding["noise"].capitalize()
    )
    return f"{SHORT[finding['claim']]}: {noise}"


# What the rows of a chart call the claims.
SHORT = {
    "networks": "network - classical, above 0",
    "exception": "network - classical, not above 0",
    "functions": "function 1 - function 2, small",
    "p1_small": "P1 - classical, weak noise, above 0",
    "p1_large": "P1 - classical, strong noise, below 0",
    "p1_exception": "P1 - classical, below 0",
    "finer": "20 - 2 pieces, above 0",
    "finer_depends": "20 - 2 pieces, differs",
    "edginess_up": "edginess change, above 0",
    "edginess_down": "edginess change, below 0",
    "edginess_flat": "edginess change, about 0",
    "edginess_psnr": "edginess with PSNR, below 0",
    "two_contrasts": "two contrasts - one, small",
    "two_p1": "two P1 - one, SSIM, not clearly above 0",
}
