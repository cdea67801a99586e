"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from kerasdenoise import plain_json
from kerasdenoise.evaluation.quality import Result

if TYPE_CHECKING:
    from rich.table import Table

FIGURES = ("noisy_psnr", "psnr", "ssim")

# Wide enough for the table where nobody's terminal sets the width.
_WIDTH = 120


def print_table(results: Sequence[Result], title: str, stream: TextIO) -> None:
    """Prints one row for each kind of noise.

    Args:
        results: What was measured.
        title: The table's heading.
        stream: Where to print.
    """
    from rich.console import Console

    width = None if stream.isatty() else _WIDTH
    console = Console(file=stream, width=width, markup=False, highlight=False)
    console.print(_table(results, title, ascii_only=console.options.ascii_only))


def to_json(results: Sequence[Result], **facts: object) -> str:
    """Writes results as a JSON object.

    Args:
        results: What was measured.
        **facts: What else to say, at the top of the object.

    Returns:
        The text, ending with a newline. Figures that are not finite are null: the PSNR of
        equal images, and a mean or standard error of too few.
    """
    content = {**facts, "results": [_as_dict(result) for result in results]}
    return plain_json.to_json(content, indent=2) + "\n"


def _table(results: Sequence[Result], title: str, *, ascii_only: bool) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("noise")
    for heading in ("images", "noisy PSNR", "PSNR", "SSIM", "s/megapixel"):
        table.add_column(heading, justify="right", no_wrap=True)
    sign = "+/-" if ascii_only else "±"
    for result in results:
        table.add_row(
            result.noise,
            str(len(result.images)),
            _number(result.mean("noisy_psnr"), 2),
            _with_error(result, "psnr", 2, sign),
            _with_error(result, "ssim", 4, sign),
            _number(result.seconds_per_megapixel, 2),
        )
    return table


def _with_error(result: Result, figure: str, digits: int, sign: str) -> str:
    mean = _number(result.mean(figure), digits)
    error = result.standard_error(figure)
    return mean if math.isnan(error) else f"{mean} {sign} {_number(error, digits)}"


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _as_dict(result: Result) -> dict[str, Any]:
    return {
        "noise": result.noise,
        "mean": {figure: result.mean(figure) for figure in FIGURES},
        "standard_error": {figure: result.standard_error(figure) for figure in FIGURES},
        "seconds_per_megapixel": result.seconds_per_megapixel,
        "images": [asdict(image) for image in result.images],
        "failed": [asdict(failure) for failure in result.failures],
    }
