"""The picture: quality against arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kerasdenoise.evaluation.pages import start_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS = "#c1440e"
_OTHERS = "#33546b"
_CLASSICAL = "#6b6b6b"
_BEST = "--quality best"


@dataclass(frozen=True)
class Line:
    """A denoiser that is no network.

    Attributes:
        title: Its label.
        psnr: PSNR in dB.
    """

    title: str
    psnr: float


@dataclass(frozen=True)
class Point:
    """A network.

    Attributes:
        title: Its label.
        psnr: PSNR in dB.
        kmac: Multiply-accumulates per pixel in thousands.
        ours: Whether it is a model of this project.
    """

    title: str
    psnr: float
    kmac: float
    ours: bool


def draw_picture(points: Sequence[Point], lines: Sequence[Line], title: str, target: Path) -> None:
    """Draws PSNR against arithmetic as a PNG.

    Args:
        points: Networks.
        lines: What is as good without being a network.
        title: What PSNR was measured on.
        target: The file to write; its folder must be there.
    """
    figure, ((axes,),) = start_figure(size=(9, 5.2))
    axes.set_xscale("log")
    _draw_points(axes, points)
    _draw_lines(axes, lines)
    axes.margins(x=0.16, y=0.1)
    axes.set(xlabel="thousand multiply-accumulates per pixel", ylabel="PSNR, dB", title=title)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="upper left")
    figure.savefig(target, dpi=120)


def _draw_points(axes: Axes, points: Sequence[Point]) -> None:
    kinds = {
        "ours": ("this project, not told sigma", _OURS, _OURS, 10),
        "best": (f"the same with {_BEST}", _OURS, "white", 7),
        "published": ("networks, as published", _OTHERS, "white", 8),
    }
    for kind, (label, color, face, size) in kinds.items():
        chosen = [point for point in points if _kind(point) == kind]
        axes.plot(
            [point.kmac for point in chosen],
            [point.psnr for point in chosen],
            "o",
            markersize=size,
            color=color,
            markerfacecolor=face,
            markeredgewidth=1.6,
            label=label,
            zorder=4,  # above the names
        )
    for point in points:
        if _kind(point) == "best":
            continue  # its name would cover those of others
        right, up = _place(point, points)
        axes.annotate(
            point.title,
            (point.kmac, point.psnr),
            xytext=(9 if right else -9, up),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            color=_OURS if point.ours else _OTHERS,
            fontweight="bold" if point.ours else "normal",
            # No line strikes through a name.
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )


def _kind(point: Point) -> str:
    """Whether it is a model of this project, one at its best quality, or a published network."""
    if not point.ours:
        return "published"
    return "best" if point.title.endswith(_BEST) else "ours"


def _draw_lines(axes: Axes, lines: Sequence[Line]) -> None:
    labels = itertools.chain(["classical, told sigma"], itertools.repeat(None))
    for line, label in zip(lines, labels, strict=False):
        axes.axhline(line.psnr, ls="--", lw=1, color=_CLASSICAL, zorder=1, label=label)
        axes.annotate(
            line.title,
            (0.995, line.psnr),  # at the right: few networks that compute so much are so bad
            xycoords=("axes fraction", "data"),
            xytext=(0, -2),  # below: labels of networks that are little better stand above
            textcoords="offset points",
            ha="right",
            va="top",
            color=_CLASSICAL,
            fontsize=9,
        )


def _place(point: Point, points: Sequence[Point]) -> tuple[bool, int]:
    """Whether a label stands to the right, and how far up, so that neighbors' do not overlap."""
    if point.ours:
        return True, -10  # below the networks as published, none of which computes as little
    near = [
        other
        for other in points
        if other is not point
        and abs(point.psnr - other.psnr) < 0.25
        and 0.4 < point.kmac / other.kmac < 2.5
    ]
    if not near:
        return True, 0
    above = all(point.psnr >= other.psnr for other in near)
    return above, 5 if above else -5
