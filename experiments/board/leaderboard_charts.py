"""The pictures of the leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasdenoise.evaluation.pages import COLORS, start_figure

_KINDS = ("trained network", "fusion", "no training")


def draw_ranking(
    anchors: Mapping[str, float],
    networks: Mapping[str, float],
    fusions: Mapping[str, float],
    target: Path,
    *,
    title: str = "",
) -> None:
    """Draws all at one noise, the best on top: PSNR in dB by what each is called."""
    from matplotlib.patches import Patch

    colors = (COLORS[1], COLORS[0], "#b5b5b5")
    bars = [
        (value, name, color)
        for kind, color in zip((networks, fusions, anchors), colors, strict=True)
        for name, value in kind.items()
    ]
    bars.sort()
    figure, ((axes,),) = start_figure(size=(9, 0.6 + 0.3 * len(bars)))
    axes.grid(visible=False)
    axes.barh(
        [name for _, name, _ in bars],
        [value for value, _, _ in bars],
        color=[color for _, _, color in bars],
    )
    for place, (value, _, _) in enumerate(bars):
        axes.text(value + 0.05, place, f"{value:.2f}", va="center", fontsize=8)
    low, high = bars[0][0], bars[-1][0]
    axes.set_xlim(low - 0.1 * (high - low) - 0.5, high + 0.08 * (high - low) + 0.3)
    axes.set(xlabel="PSNR in dB, Gaussian noise of 0.1: further right is better")
    axes.set_title(title, fontsize=10)
    axes.legend(
        handles=[
            Patch(color=color, label=kind) for color, kind in zip(colors, _KINDS, strict=True)
        ],
        loc="lower right",
        fontsize=9,
    )
    figure.savefig(target, dpi=110)


def draw_places(
    values: Mapping[str, tuple[float, float]], target: Path, *, title: str = ""
) -> None:
    """Draws PSNR on borders and on smooth parts in dB, with a line between both."""
    order = sorted(values.items(), key=lambda each: each[1][0])
    figure, ((axes,),) = start_figure(size=(9, 0.8 + 0.3 * len(order)))
    axes.grid(visible=False, axis="y")
    rows = range(len(order))
    borders = [border for _, (border, _) in order]
    smooth = [each for _, (_, each) in order]
    axes.hlines(rows, borders, smooth, color="#bbbbbb", lw=2, zorder=1)
    axes.scatter(borders, rows, color=COLORS[0], label="borders", zorder=2)
    axes.scatter(smooth, rows, color=COLORS[1], label="smooth parts", zorder=2)
    axes.set_yticks(rows, [name.strip("*") for name, _ in order])
    axes.set(xlabel="PSNR in dB, Gaussian noise of 0.1: further right is better")
    axes.set_title(title, fontsize=10)
    figure.legend(loc="outside upper center", ncols=2, fontsize=9)
    figure.savefig(target, dpi=110)


def draw_across(
    values: Mapping[str, Mapping[str, Sequence[float]]],
    noises: Sequence[str],
    noisy: Sequence[float | None],
    target: Path,
    *,
    title: str = "",
) -> None:
    """Draws a table of PSNR for each network, colored by what is gained over the noisy image.

    Args:
        values: PSNR in dB on each noise, by network and by the noise that it was trained for.
        noises: What the columns are called, and the rows.
        noisy: PSNR of the noisy images of each noise; None if it is not known.
        target: The file to write.
        title: Heading.
    """
    import numpy as np

    start = np.array([np.nan if each is None else each for each in noisy])
    missing = [np.nan] * len(noises)
    tables = {
        name: np.array([each.get(noise, missing) for noise in noises])
        for name, each in values.items()
    }
    largest = max([1.0, *(np.nanmax(np.abs(each - start), initial=0) for each in tables.values())])
    columns = min(3, len(tables))
    rows = -(-len(tables) // columns)
    size = (3.4 * columns + 1.6, 3.4 * rows + 0.8)
    figure, all_axes = start_figure(rows, columns, size, sharex=True, sharey=True)
    for axes in all_axes.flat[len(tables) :]:
        axes.set_visible(False)
    image: Any = None
    for axes, (name, table) in zip(all_axes.flat, tables.items(), strict=False):
        gains = table - start
        axes.grid(visible=False)
        image = axes.imshow(gains, cmap="RdBu", vmin=-largest, vmax=largest)
        for row, column in np.argwhere(np.isfinite(table)):
            is_dark = abs(gains[row, column]) > 0.6 * largest
            axes.text(
                column,
                row,
                f"{table[row, column]:.1f}",
                ha="center",
                va="center",
                fontsize=7,
                color="white" if is_dark else "black",
            )
        axes.set_title(name, fontsize=10)
        axes.set_xticks(range(len(noises)), noises, fontsize=8, rotation=90)
        axes.set_yticks(range(len(noises)), noises, fontsize=8)
        axes.tick_params(labelbottom=True)
    figure.supylabel("trained for")
    figure.supxlabel("tried on")
    figure.suptitle(title, fontsize=10)
    figure.colorbar(
        image, ax=all_axes, shrink=0.4, label="dB gained (blue) or lost (red) by denoising"
    )
    figure.savefig(target, dpi=110)
