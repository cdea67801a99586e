"""A study's pictures: all trials at once, and quality against arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasdenoise.runtime import make_figure
from kerasdenoise.tuning.importance import is_logarithmic, is_number
from kerasdenoise.tuning.narrator import describe_value
from kerasdenoise.tuning.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS, _OTHERS = "#c1440e", "#33546b"
# So many trials, of all that are drawn, are drawn strongly.
_STRONG = 4
_INCHES = 1.5
# The height of a value that a trial does not have.
_NOWHERE = -0.12


def draw_parallel(
    results: Sequence[Result], names: Sequence[str], figure: str, target: Path
) -> None:
    """Draws each trial as a line through its values, and its figure at the end, as a PNG.

    Args:
        results: Completed trials, at least one.
        names: The hyperparameters, one axis each.
        figure: `psnr` or `ssim`.
        target: The file to write.
    """
    from matplotlib import colormaps

    columns = [[result.values.get(name) for result in results] for name in names]
    scores = [result.figures[figure] for result in results]
    picture = make_figure(max(6.0, _INCHES * (len(names) + 1)), 5)
    axes = picture.subplots()
    places = [_place(column) for column in columns] + [_place(scores)]
    low, high = min(scores), max(scores)
    colors = colormaps["viridis_r"]
    strong = sorted(scores)[-max(1, len(scores) // _STRONG) :][0]
    for index in sorted(range(len(results)), key=lambda each: scores[each]):
        share = (scores[index] - low) / (high - low) if high > low else 1.0
        heights = [place[index] for place in places]
        axes.plot(
            range(len(places)),
            heights,
            color=colors(share),
            alpha=0.9 if scores[index] >= strong else 0.3,
            linewidth=2 if scores[index] >= strong else 1,
        )
    label = "PSNR, dB" if figure == "psnr" else "SSIM"
    _label_axes(axes, [*names, label], [*columns, scores])
    picture.savefig(target, dpi=110)


def draw_front(
    results: Sequence[Result], front: Sequence[Result], target: Path, title: str
) -> None:
    """Draws PSNR against multiply-accumulates as a PNG, and the front as a line.

    Args:
        results: Completed trials.
        front: Those that none is as cheap and better than, the cheapest first.
        target: The file to write.
        title: What was measured.
    """
    picture = make_figure(8, 5)
    axes = picture.subplots()
    axes.set_xscale("log")
    others = [result for result in results if result not in front]
    axes.plot(*_points(others), "o", color=_OTHERS, alpha=0.6, label="trials")
    axes.plot(*_points(front), "o-", color=_OURS, drawstyle="steps-post", label="the front")
    for result in front:
        mac, psnr = result.figures["mac_per_pixel"], result.figures["psnr"]
        axes.annotate(
            str(result.number), (mac, psnr), xytext=(4, 5), textcoords="offset points", fontsize=8
        )
    axes.set(xlabel="multiply-accumulates per pixel", ylabel="PSNR, dB", title=title)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right")
    picture.savefig(target, dpi=120)


def _points(results: Sequence[Result]) -> tuple[Sequence[float], Sequence[float]]:
    macs = [max(1, result.figures["mac_per_pixel"]) for result in results]
    return macs, [result.figures["psnr"] for result in results]


def _place(column: Sequence[Any]) -> list[float]:
    """Heights from 0 to 1; below them for a trial that has no such value."""
    given = [value for value in column if value is not None]
    if is_number(given):
        scale = math.log if is_logarithmic(given) else float
        low, high = scale(min(given)), scale(max(given))
        spread = high - low or 1.0
        return [_NOWHERE if v is None else (scale(v) - low) / spread for v in column]
    kinds = _kinds(column)
    spread = max(1, len(kinds) - 1)
    return [_NOWHERE if v is None else kinds.index(v) / spread for v in column]


def _kinds(column: Sequence[Any]) -> list[Any]:
    kinds: list[Any] = []
    for value in column:
        if value is not None and value not in kinds:
            kinds.append(value)
    return sorted(kinds, key=str)


def _label_axes(axes: Axes, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
    axes.set_yticks([])
    axes.set_xlim(-0.3, len(names) - 0.4)
    axes.spines[:].set_visible(False)
    for place, column in enumerate(columns):
        axes.axvline(place, color="#999999", linewidth=0.8, zorder=0)
        given = [value for value in column if value is not None]
        if is_number(given):
            marks = list(dict.fromkeys([(0.0, min(given)), (1.0, max(given))]))
            marks = marks if min(given) < max(given) else marks[:1]
        else:
            kinds = _kinds(column)
            marks = [(index / max(1, len(kinds) - 1), kind) for index, kind in enumerate(kinds)]
        labels = [(height, describe_value(value)) for height, value in marks]
        if len(given) < len(column):
            labels.append((_NOWHERE, "none"))
        for height, label in labels:
            box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1}
            axes.text(place + 0.04, height, label, fontsize=8, va="center", bbox=box)
