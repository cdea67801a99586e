"""What pages are made of: tables and text in Markdown, and charts as PNG files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

WIDTH = 100

Line = tuple[Sequence[float], Sequence[float]]
COLORS = ("#c1440e", "#33546b", "#6a8532", "#8a5a9e", "#b8860b", "#2b8c8c", "#6b6b6b", "#d0679d")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Writes a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def wrap(text: str) -> str:
    """Breaks the lines of paragraphs and lists, into which figures were put.

    Headings, tables, pictures and code stay as they are.

    Returns:
        The text, ending with a newline.
    """
    paragraphs = [part.strip("\n") for part in text.split("\n\n")]
    return "\n\n".join(map(_wrap_paragraph, filter(None, paragraphs))) + "\n"


def _wrap_paragraph(text: str) -> str:
    if text.startswith(("#", "|", "!", "```", "    ")):
        return text
    items = ("\n" + text).split("\n- ")
    return "\n".join(
        textwrap.fill(
            ("- " if is_item else "") + " ".join(item.split()),
            WIDTH,
            subsequent_indent="  " if is_item else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for is_item, item in enumerate(items)
        if item.strip()
    )


def write_section(page: Path, name: str, body: str) -> None:
    """Writes a section between its two marks; the rest of the page stays.

    Args:
        page: The page, which is made if it is missing; a section that it lacks is added at its end.
        name: What the marks call the section.
        body: Its text.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = page.read_text("utf-8") if page.is_file() else f"# {page.stem.capitalize()}\n"
    if begin not in text:
        text = f"{text.rstrip()}\n\n{begin}{end}\n"
    before, _, rest = text.partition(begin)
    page.write_text(f"{before}{begin}\n{body.strip()}\n{end}{rest.partition(end)[2]}", "utf-8")


def draw_lines(
    lines: Mapping[str, Line],
    target: Path,
    *,
    x: str,
    y: str,
    title: str = "",
    log: bool = False,
    dashed: Mapping[str, Line] | None = None,
) -> None:
    """Draws curves.

    Args:
        lines: x and y values by the curves' names.
        target: The file to write.
        x: Label of the x axis.
        y: Label of the y axis.
        title: Heading.
        log: Whether x is logarithmic.
        dashed: Published values, drawn as hollow points with dashed lines.
    """
    figure, ((axes,),) = start_figure()
    axes.set_title(title, fontsize=11)
    for number, (name, (xs, ys)) in enumerate(lines.items()):
        axes.plot(xs, ys, "o-", ms=4, color=COLORS[number % len(COLORS)], label=name)
    for number, (name, (xs, ys)) in enumerate((dashed or {}).items()):
        color = COLORS[number % len(COLORS)]
        axes.plot(xs, ys, "o--", mfc="white", ms=5, lw=1, color=color, label=name)
    if log:
        axes.set_xscale("log")
        places = sorted({x for xs, _ in lines.values() for x in xs})
        if len(places) < 10:
            axes.set_xticks(places)
            axes.minorticks_off()
        axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel=x, ylabel=y)
    axes.legend(fontsize=9)
    figure.savefig(target, dpi=110)


def draw_bars(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    target: Path,
    *,
    y: str,
    title: str = "",
    errors: Mapping[str, Sequence[float]] | None = None,
    marks: Mapping[str, Sequence[float | None]] | None = None,
    low: float | None = None,
) -> None:
    """Draws bars, in groups: one bar a series in each; one that is None is left out.

    Args:
        groups: Names along the x axis.
        series: Heights for each group, by what the legend calls them.
        target: The file to write.
        y: Label of the y axis.
        title: Heading.
        errors: Standard errors of the same shape, for series that have them.
        marks: Published values of the same shape, drawn as short lines across the bars.
        low: Where the y axis begins.
    """
    figure, ((axes,),) = start_figure()
    axes.set_title(title, fontsize=11)
    width = 0.8 / len(series)
    for number, (name, heights) in enumerate(series.items()):
        there = [index for index, height in enumerate(heights) if height is not None]
        places = [index + (number - (len(series) - 1) / 2) * width for index in there]
        axes.bar(
            places,
            [heights[index] or 0.0 for index in there],
            width,
            label=name,
            color=COLORS[number % len(COLORS)],
            yerr=[errors[name][index] for index in there] if errors and name in errors else None,
        )
        published = (marks or {}).get(name, [None] * len(groups))
        known = [index for index, mark in enumerate(published) if mark is not None]
        axes.hlines(
            [published[index] or 0.0 for index in known],
            [index + (number - len(series) / 2) * width for index in known],
            [index + (number - len(series) / 2 + 1) * width for index in known],
            color="black",
            lw=2,
            # Matplotlib lists no label that begins with an underscore.
            label="published" if known and number == 0 else "_published",
        )
    axes.set_xticks(range(len(groups)), groups)
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.set(ylabel=y)
    if low is not None:
        axes.set_ylim(bottom=low)
    axes.grid(visible=False, axis="x")
    if len(series) > 1:
        figure.legend(loc="outside lower center", fontsize=9, ncols=min(5, len(series) + 1))
    figure.savefig(target, dpi=110)


def draw_images(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[Sequence[str]],
    target: Path,
    *,
    side: float = 2.2,
    cmap: str = "gray",
) -> None:
    """Draws pictures side by side, each with its heading.

    Args:
        rows: (height, width[, 1 or 3]) in [0, 1].
        titles: Headings, of the same shape.
        target: The file to write.
        side: Width and height of each in inches.
        cmap: Colors of those with one channel.
    """
    import numpy as np

    columns = max(len(row) for row in rows)
    size = (columns * side, len(rows) * (side + 0.35))
    figure, grid = start_figure(len(rows), columns, size)
    for axes in grid.ravel():
        axes.set_axis_off()
    for line, images, names in zip(grid, rows, titles, strict=True):
        for axes, image, name in zip(line, images, names, strict=False):
            shown = np.clip(np.squeeze(image), 0, 1)
            axes.imshow(shown, cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(name, fontsize=8)
    figure.savefig(target, dpi=110)


def start_figure(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (8, 4.5), **options: Any
) -> tuple[Figure, np.ndarray]:
    """Starts a figure of charts that have a grid and no frame.

    Args:
        rows: Rows of charts.
        columns: Charts in a row.
        size: Width and height in inches.
        **options: As of Matplotlib's `Figure.subplots`.

    Returns:
        The figure, and its charts (rows, columns).
    """
    from matplotlib.figure import Figure  # not pyplot, which would look for a display

    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **options)
    for axes in grid.ravel():
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    return figure, grid
