"""Turns command-line inputs into a plan of results, and counts what is skipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kerasdenoise.cli.treatment import Treatment
from kerasdenoise.errors import UsageError, list_names
from kerasdenoise.files import check_target
from kerasdenoise.images.formats import format_of_suffix
from kerasdenoise.paths.photos import Found, find_photos
from kerasdenoise.paths.plan import Plan, plan_jobs, refuse_inputs
from kerasdenoise.paths.template import NameTemplate, can_be_written


def make_plan(
    inputs: Sequence[str],
    output: str | None,
    treatment: Treatment,
    *,
    name: str | None = None,
    recursive: bool = False,
    skip_existing: bool = False,
) -> tuple[Plan, list[str]]:
    """Finds the photos, and decides where each result goes.

    Args:
        inputs: Files, folders and patterns.
        output: A file or a folder, or None.
        treatment: How they are read, denoised and written.
        name: A template for result names; None for the default.
        recursive: Whether to include subfolders.
        skip_existing: Whether photos with existing results are skipped.

    Returns:
        The plan, and descriptions of what was skipped in folders.

    Raises:
        UsageError: There is nothing to do, or the request is impossible.
    """
    found = find_photos(inputs, recursive=recursive, output=output)
    words = {"model": treatment.denoiser.info.name, "strength": f"{treatment.settings.strength:g}"}
    plan = plan_jobs(
        found.photos,
        output,
        roots=found.roots,
        name=None if name is None else NameTemplate(name, words),
        overwrite=treatment.overwrite,
        skip_existing=skip_existing,
    )
    _check_depth(plan, treatment.bit_depth)
    return plan, _left_out(found, plan, recursive=recursive)


def check_compare(target: Path, plan: Plan, *, overwrite: bool) -> None:
    """Rejects a --compare image that cannot be written, or that is not for exactly one photo.

    Raises:
        UsageError: It was rejected.
    """
    photos = len(plan.jobs) + len(plan.skipped)
    if photos > 1:
        raise UsageError(
            "--compare", f"shows one photo, but there are {photos}", "run it for each photo"
        )
    if not can_be_written(target):
        raise UsageError(target, "does not name an image file", "use .png or .jpg")
    refuse_inputs(target, plan)
    check_target(target, overwrite=overwrite)


def _check_depth(plan: Plan, bit_depth: int | None) -> None:
    rows = {job.target: format_of_suffix(job.target) for job in plan.jobs if bit_depth}
    unfit = [path for path, row in rows.items() if row and bit_depth not in row.bit_depths]
    if unfit:
        raise UsageError(
            f"--bit-depth {bit_depth}",
            f"{list_names(unfit)} cannot store that many bits",
            "remove it, or write TIFF or PNG files",
        )


def _left_out(found: Found, plan: Plan, *, recursive: bool) -> list[str]:
    counts = [
        (len(plan.results), "earlier result", "earlier results"),
        (found.hidden, "hidden file", "hidden files"),
        (found.others, "file that is not a photo", "files that are not photos"),
        (found.folders, "link to a folder", "links to folders")
        if recursive
        else (found.folders, "folder (add -r)", "folders (add -r)"),
        (found.unreadable, "unreadable folder", "unreadable folders"),
    ]
    return [f"{count:,} {one if count == 1 else many}" for count, one, many in counts if count]
