"""From what is named on the command line to what is written where, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kerasdenoise.cli.target import check_target
from kerasdenoise.cli.treatment import Treatment
from kerasdenoise.errors import UsageError
from kerasdenoise.images.find import Found, find_photos
from kerasdenoise.images.formats import format_of_suffix
from kerasdenoise.images.naming import NameTemplate, can_be_written
from kerasdenoise.images.paths import list_names
from kerasdenoise.images.plan import Plan, plan_jobs, refuse_inputs


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
        treatment: What is done to them.
        name: A template of the results' names; the usual one if None.
        recursive: Whether the folders in folders are looked into as well.
        skip_existing: Whether photos with existing results are left out.

    Returns:
        The plan, and what of the folders is no part of it, in words.

    Raises:
        UsageError: There is nothing to do, or it would not end well.
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
    """Refuses a picture of before and after that cannot be written, or is not of one photo.

    Raises:
        UsageError: That is so.
    """
    photos = len(plan.jobs) + len(plan.skipped)
    if photos > 1:
        raise UsageError(
            "--compare", f"shows one photo, but there are {photos}", "call it for each of them"
        )
    if not can_be_written(target):
        raise UsageError(target, "is no name of a picture", "call it .png or .jpg")
    refuse_inputs(target, plan)
    check_target(target, overwrite=overwrite)


def _check_depth(plan: Plan, bit_depth: int | None) -> None:
    rows = {job.target: format_of_suffix(job.target) for job in plan.jobs if bit_depth}
    unfit = [path for path, row in rows.items() if row and bit_depth not in row.bit_depths]
    if unfit:
        raise UsageError(
            f"--bit-depth {bit_depth}",
            f"{list_names(unfit)} cannot have so many bits",
            "leave it out, or write TIFF or PNG files",
        )


def _left_out(found: Found, plan: Plan, *, recursive: bool) -> list[str]:
    counts = [
        (len(plan.results), "earlier result", "earlier results"),
        (found.hidden, "hidden", "hidden"),
        (found.others, "that is no photo", "that are no photos"),
        (found.folders, "link to a folder", "links to folders")
        if recursive
        else (found.folders, "folder (add -r)", "folders (add -r)"),
        (found.unreadable, "folder that may not be read", "folders that may not be read"),
    ]
    return [f"{count:,} {one if count == 1 else many}" for count, one, many in counts if count]
