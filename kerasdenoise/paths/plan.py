"""Which file is written where: decided, and refused, before any work is done."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kerasdenoise.errors import UsageError, list_names
from kerasdenoise.files import Identity, file_identity, refuse_existing
from kerasdenoise.images.formats import format_of_suffix, known_suffixes
from kerasdenoise.paths.identity import (
    fold,
    identity,
    is_folder,
    is_of_file,
    make_locator,
)
from kerasdenoise.paths.template import DENOISED, KEPT, PREVIEW, NameTemplate, can_be_written
from kerasdenoise.stores import Address, as_path, list_files


@dataclass(frozen=True)
class Job:
    """One file to read and one to write.

    Attributes:
        source: The file to read.
        target: The file to write.
        replaces: What was at the target when this was planned; see `files.file_identity`.
    """

    source: Path
    target: Path
    replaces: Identity | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Plan:
    """What will be done, in the order of the inputs.

    Attributes:
        jobs: What to read and write.
        skipped: What is left alone, as its target exists and that was asked for.
        results: Inputs found in folders that are left alone, as they are other inputs' targets
            or previews.
        renamed: Inputs whose results have their suffix in the name, as other results would have
            the same name without.
    """

    jobs: tuple[Job, ...]
    skipped: tuple[Job, ...] = ()
    results: tuple[Path, ...] = ()
    renamed: tuple[Path, ...] = ()


def plan_jobs(
    inputs: Sequence[Path],
    output: str | Path | None = None,
    *,
    roots: Mapping[Path, Path] | None = None,
    name: NameTemplate | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """Decides where each input's result goes.

    Without `output` it goes beside the input, as `photo_denoised.jpg`. An `output` that is a
    folder, that ends with a separator, or that is given for several inputs or for a folder's
    is a folder for files of the same names; else it is the one file's name. An input that does
    not exist is planned like any other: it fails at its turn, and the others are done.

    Args:
        inputs: Files; one that is named twice is done once.
        output: A file or a folder. Give a `str` where a separator at its end must count,
            as a `Path` drops it.
        roots: For inputs that were found in a folder, that folder: its tree is mirrored below
            `output`, and what is the target or the preview of another input is no input.
        name: What results are called: by default as their inputs in another folder, and
            `{stem}_denoised{ext}` beside them.
        overwrite: Whether existing targets may be replaced.
        skip_existing: Whether inputs with existing targets are left out.

    Raises:
        UsageError: An input is a folder, `output` is empty or no possible target, two inputs have
            the same target, a target is an input, exists, or stands in a folder that may not be
            written to.
    """
    if overwrite and skip_existing:
        raise UsageError(
            "--overwrite", "cannot be combined with --skip-existing", "remove one of them"
        )
    if output == "":  # a shell variable that is not set; as a path it were this folder
        raise UsageError("the output", "is empty", "name a file or a folder, or leave it out")
    roots = roots or {}
    folders = [path for path in inputs if path not in roots and is_folder(path)]
    if folders:
        raise UsageError(
            list_names(folders),
            "is a folder" if len(folders) == 1 else "are folders",
            "name the files in it" if len(folders) == 1 else "name the files in them",
        )
    jobs, renamed = _tell_apart(_lay_out(_unique(inputs), output, roots, name))
    jobs, results = _leave_results(jobs, roots)
    _refuse_shared_targets(jobs)
    existing = _find_existing(jobs)
    _refuse_inputs_as_targets(jobs, existing)
    skipped: tuple[Job, ...] = ()
    if skip_existing:
        skipped = tuple(existing)
        left = set(existing)
        jobs = [job for job in jobs if job not in left]
    else:
        _refuse_existing([job.target for job in existing], overwrite=overwrite)
    _refuse_unwritable(jobs)
    if overwrite:
        jobs = [replace(job, replaces=file_identity(job.target)) for job in jobs]
    named = {job.source for job in jobs} & set(renamed)
    return Plan(tuple(jobs), skipped, results, tuple(path for path in renamed if path in named))


def refuse_inputs(target: Path, plan: Plan) -> None:
    """Refuses a file to be written beside the results that is one of a plan's files.

    Raises:
        UsageError: It is an input or a result.
    """
    taken = {identity(path) for job in plan.jobs for path in (job.source, job.target)}
    if identity(target) in taken:
        raise UsageError(target, "is also an input or a result", "give another name")


def _lay_out(
    sources: Sequence[Path],
    output: str | Path | None,
    roots: Mapping[Path, Path],
    name: NameTemplate | None,
) -> list[tuple[Job, NameTemplate | None]]:
    if output is None:
        name = name or NameTemplate(DENOISED)
        return [(Job(source, source.with_name(name.apply(source))), name) for source in sources]
    target = as_path(output)
    named_folder = os.fspath(output).endswith(tuple(filter(None, (os.sep, os.altsep))))
    if is_folder(target) or named_folder or len(sources) > 1 or roots:
        _check_folder(target, len(sources), named_folder=named_folder)
        name = name or NameTemplate(KEPT)
        return [
            (Job(source, target / _below(source, roots) / name.apply(source)), name)
            for source in sources
        ]
    _check_file(target)
    if name is not None:
        raise UsageError(
            target, "names the file already", f"write {target}{os.sep}, or leave out --name"
        )
    return [(Job(source, target), None) for source in sources]


def _check_folder(target: Path, inputs: int, *, named_folder: bool) -> None:
    if os.path.lexists(target) and not is_folder(target):
        raise UsageError(target, "is a file, not a folder", "give a folder with -o")
    if not os.path.lexists(target) and not named_folder and format_of_suffix(target):
        raise UsageError(
            target,
            f"is one file's name, for {inputs} inputs" if inputs > 1 else "is one file's name",
            f"write {target}{os.sep} for a folder of that name",
        )


def _check_file(target: Path) -> None:
    if not can_be_written(target):
        suffix = target.suffix
        raise UsageError(
            target,
            f"files ending in {suffix} cannot be written" if suffix else "has no suffix",
            f"{known_suffixes()} can be written; write {target}{os.sep} for a folder",
        )


def _below(source: Path, roots: Mapping[Path, Path]) -> Path:
    """Returns the folder of a source as it is called from that in which it was found."""
    root = roots.get(source)
    return Path() if root is None else source.parent.relative_to(root)


def _unique(inputs: Sequence[Path]) -> list[Path]:
    """Drops repeated inputs. A file under two names stays: it has two targets."""
    locate = make_locator()
    first: dict[str, Path] = {}
    for path in inputs:
        first.setdefault(locate(path), path)
    return list(first.values())


def _leave_results(
    jobs: list[Job], roots: Mapping[Path, Path]
) -> tuple[list[Job], tuple[Path, ...]]:
    """Leaves out what an earlier run has written into a folder that is done again."""
    locate = make_locator()
    written = {locate(job.target) for job in jobs if locate(job.target) != locate(job.source)}
    if roots:
        preview = NameTemplate(PREVIEW)
        written |= {locate(job.source.with_name(preview.apply(job.source))) for job in jobs}
    results = {job.source for job in jobs if job.source in roots and locate(job.source) in written}
    return [job for job in jobs if job.source not in results], tuple(results)


def _tell_apart(jobs: list[tuple[Job, NameTemplate | None]]) -> tuple[list[Job], list[Path]]:
    """Gives results of one folder's files other names where they would have the same.

    The first that keeps its suffix keeps its name. The others have their suffix in it, as
    `x_orf_denoised.tif` of x.orf beside x.dng, and a number where that is taken too.
    """
    locate = make_locator()
    names = [fold(locate(job.target)) for job, _ in jobs]
    groups: dict[tuple[Path, str], list[int]] = {}
    for index, ((job, _), name) in enumerate(zip(jobs, names, strict=True)):
        groups.setdefault((job.source.parent, name), []).append(index)
    taken = set(names)
    planned = [job for job, _ in jobs]
    renamed = []
    for group in groups.values():
        own = [
            index
            for index in group
            if planned[index].source.suffix == (planned[index].target.suffix)
        ]
        keeper = (own or group)[0]
        for index in group if len(group) > 1 else ():
            template = jobs[index][1]
            if index == keeper or template is None:
                continue
            job = planned[index]
            target = _other_name(job, template, taken, locate)
            if target is not None:
                taken.add(fold(locate(target)))
                planned[index] = Job(job.source, target)
                renamed.append(job.source)
    return planned, renamed


def _other_name(
    job: Job, template: NameTemplate, taken: set[str], locate: Callable[[Path], str]
) -> Path | None:
    source = job.source
    stem = f"{source.stem}_{source.suffix[1:]}"
    for ending in ("", *(f"_{number}" for number in range(2, 100))):
        name = template.apply(source, stem + ending)
        target = job.target.with_name(name)
        if fold(locate(target)) not in taken:
            return target
    return None  # the template has no stem in it


def _find_existing(jobs: Sequence[Job]) -> list[Job]:
    """Returns the jobs whose targets exist; a store is asked once for all."""
    folders = {job.target.parent for job in jobs if isinstance(job.target, Address)}
    root = Path(os.path.commonpath(folders)) if folders else None
    stored = {path for path, _ in list_files(Address(root))} if root else set()
    return [job for job in jobs if job.target in stored or os.path.lexists(job.target)]


def _refuse_shared_targets(jobs: Sequence[Job]) -> None:
    locate = make_locator()
    names = [fold(locate(job.target)) for job in jobs]
    counts = Counter(names)
    shared = [job for job, name in zip(jobs, names, strict=True) if counts[name] > 1]
    if shared:
        raise UsageError(
            list_names(job.source for job in shared),
            f"would be written to the same file {list_names(job.target for job in shared)}",
            "write them to different folders, with one call each",
        )


def _refuse_inputs_as_targets(jobs: Sequence[Job], existing: Sequence[Job]) -> None:
    sources = {identity(job.source) for job in jobs}
    # A target that is not there can only be a source that is not there either.
    suspects = existing if all(is_of_file(source) for source in sources) else jobs
    hit = [job.target for job in suspects if identity(job.target) in sources]
    if hit:
        raise UsageError(
            list_names(hit),
            "is also an input" if len(hit) == 1 else "are also inputs",
            "name the originals only, or write to another folder with -o",
        )


def _refuse_existing(existing: Sequence[Path], *, overwrite: bool) -> None:
    if overwrite:
        folders = [target for target in existing if is_folder(target)]
        refuse_existing(folders, overwrite=False, remedy="move the folder away")
    else:
        remedy = "add --overwrite or --skip-existing"
        refuse_existing(existing, overwrite=False, remedy=remedy)


def _refuse_unwritable(jobs: Sequence[Job]) -> None:
    """Refuses a plan of which it can be told now that nothing of it can be written.

    Where a part of it can, the rest fails at its turn.
    """
    unfit = []
    folders = dict.fromkeys(job.target.parent for job in jobs)
    for folder in folders:
        if isinstance(folder, Address):  # of which nothing can be told now
            continue
        there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not is_folder(there):
            unfit.append((there, "is a file, not a folder"))
        elif not os.access(there, os.W_OK | os.X_OK):
            unfit.append((there, "may not be written to"))
    if unfit and len(unfit) == len(folders):
        there, cause = unfit[0]
        raise UsageError(there, cause, "write elsewhere with -o")
