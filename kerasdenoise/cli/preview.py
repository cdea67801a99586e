"""Denoises a small part of a photo in about a second, and shows it before and after."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from kerasdenoise.cli.report import Report, arrow, print_error, say
from kerasdenoise.cli.treatment import Treatment, make_plan
from kerasdenoise.errors import KerasDenoiseError, UsageError
from kerasdenoise.images.image import Image
from kerasdenoise.images.orientation import crop, orientation, side_by_side, turn, turn_back
from kerasdenoise.images.write import write_image
from kerasdenoise.paths.identity import is_folder
from kerasdenoise.paths.template import PREVIEW, can_be_written

EDGE = 480
"""Height and width of the part in pixels."""

Point = tuple[int, int] | Literal["middle"]


def write_previews(
    inputs: Sequence[str],
    output: str | None,
    treatments: Sequence[Treatment],
    point: Point,
    *,
    recursive: bool,
    quiet: bool,
    report: Report,
) -> int:
    """Writes a preview of each photo, as `photo_preview.png` beside `photo.jpg`.

    Args:
        inputs: Files, folders and patterns.
        output: A file or a folder, or None.
        treatments: How the photos are read, denoised and written; see `preview`.
        point: The middle of the part; see `preview`.
        recursive: Whether to include subfolders.
        quiet: Print only errors.
        report: How detailed the messages are.

    Returns:
        The exit code: 0 if all were written, 1 if some failed.

    Raises:
        UsageError: There is nothing to do, or the request is impossible.
    """
    is_file = (
        output is not None
        and can_be_written(output)
        and not output.endswith(os.sep)
        and not is_folder(output)
    )
    name = None if is_file else PREVIEW
    plan, _ = make_plan(inputs, output, treatments[0], name=name, recursive=recursive)
    failed = 0
    for job in plan.jobs:
        try:
            picture = preview(job.source, treatments, point)
            write_image(picture, job.target, replaces=job.replaces, like=job.source)
        except KerasDenoiseError as error:
            report.traceback(error)
            print_error(error)
            failed = 1
            continue
        if not quiet:
            say(f"{job.source} {arrow()} {job.target}")
    return failed


def preview(source: Path, treatments: Sequence[Treatment], point: Point) -> Image:
    """Denoises a part of a photo, with as much context as the network sees.

    Args:
        source: The photo.
        treatments: How it is read, denoised and written; they differ only in their strength.
        point: The middle of the part: x and y in pixels from the upper left corner of the upright
            photo, or the photo's own middle.

    Returns:
        The part before and after, side by side; with captions if there are several strengths.

    Raises:
        InputError: The photo cannot be read.
        UsageError: The point is outside the photo.
    """
    first, *others = treatments
    photo = first.read(source)
    tag = orientation(photo)
    height, width = turn(photo.pixels, tag).shape[:2]
    x, y = (width // 2, height // 2) if point == "middle" else point
    if not (0 <= x < width and 0 <= y < height):
        raise UsageError(
            f"--preview {x},{y}",
            f"is outside {source}, which has {width} x {height} pixels",
            "leave out X,Y for the middle",
        )
    # Mark the part in the upright photo, then find it in the stored pixels.
    marked = np.zeros((height, width), bool)
    marked[_around(y, height), _around(x, width)] = True
    stored = turn_back(marked, tag)
    marks = [np.flatnonzero(stored.any(axis=axis)) for axis in (1, 0)]
    inner = [range(int(mark[0]), int(mark[-1]) + 1) for mark in marks]
    # Start at a multiple of the stride, so that the grid is the same as for the whole photo.
    info = first.denoiser.info
    reach = info.radius + first.settings.margin
    top, left = (max(0, side.start - reach) // info.stride * info.stride for side in inner)
    around = crop(
        photo,
        range(top, min(photo.height, inner[0].stop + reach)),
        range(left, min(photo.width, inner[1].stop + reach)),
    )
    denoised = [each.denoise(around, name=source) for each in treatments]
    rows, columns = (
        range(side.start - start, side.stop - start)
        for side, start in zip(inner, (top, left), strict=True)
    )
    captions = ["before", *(f"strength {each.settings.strength:g}" for each in treatments)]
    parts = [crop(each, rows, columns) for each in (around, *denoised)]
    return side_by_side(parts, captions if others else ())


def _around(position: int, size: int) -> slice:
    """The part of an axis around a position, shifted to stay inside."""
    start = max(0, min(position - EDGE // 2, size - EDGE))
    return slice(start, min(start + EDGE, size))
