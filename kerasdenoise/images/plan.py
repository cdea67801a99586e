"""Which file is written where: decided, and refused, before any work is done."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasdenoise.errors import UsageError
from kerasdenoise.images.formats import format_of_suffix, known_suffixes


@dataclass(frozen=True)
class Job:
    """One file to read and one to write."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Plan:
    """What will be done, in the order of the inputs.

    Attributes:
        jobs: What to read and write.
        skipped: What is left alone, as its target exists and that was asked for.
    """

    jobs: tuple[Job, ...]
    skipped: tuple[Job, ...] = ()


def plan_jobs(
    inputs: Sequence[Path],
    output: str | Path | None = None,
    *,
    suffix: str = "_denoised",
    overwrite: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """Decides where each input's result goes.

    Without `output` it goes beside the input, as `photo_denoised.jpg`. An `output` that is a
    folder, that ends with a separator, or that is given for several inputs is a folder for
    files of the same names; else it is the one file's name. An input that does not exist is
    planned like any other: it fails at its turn, and the others are done.

    Args:
        inputs: Files; one that is named twice is done once.
        output: A file or a folder. Give a `str` where a separator at its end must count,
            as a `Path` drops it.
        suffix: What is put behind an input's stem, where there is no `output`.
        overwrite: Whether existing targets may be replaced.
        skip_existing: Whether inputs with existing targets are left out.

    Raises:
        UsageError: An input is a folder, `output` is no possible target, two inputs have the
            same target, a target is an input, or a target exists.
    """
    if overwrite and skip_existing:
        raise UsageError("--overwrite", "contradicts --skip-existing", "give one of them")
    folders = [path for path in inputs if _is_folder(path)]
    if folders:
        raise UsageError(
            _names(folders),
            "is a folder" if len(folders) == 1 else "are folders",
            "name the files in it" if len(folders) == 1 else "name the files in them",
        )
    sources = _unique(inputs)
    jobs = [Job(source, target) for source, target in _targets(sources, output, suffix)]
    _refuse_shared_targets(jobs)
    _refuse_inputs_as_targets(jobs)
    existing = [job for job in jobs if os.path.lexists(job.target)]
    if skip_existing:
        left = set(existing)
        return Plan(jobs=tuple(job for job in jobs if job not in left), skipped=tuple(existing))
    _refuse_existing(existing, overwrite=overwrite)
    return Plan(jobs=tuple(jobs))


def _targets(
    sources: Sequence[Path], output: str | Path | None, suffix: str
) -> list[tuple[Path, Path]]:
    if output is None:
        return [
            (source, source.with_name(f"{source.stem}{suffix}{source.suffix}"))
            for source in sources
        ]
    target = Path(output)
    named_folder = os.fspath(output).endswith(tuple(filter(None, (os.sep, os.altsep))))
    if _is_folder(target) or named_folder or len(sources) > 1:
        if os.path.lexists(target) and not _is_folder(target):
            raise UsageError(target, "is a file, not a folder", "give a folder with -o")
        if not os.path.lexists(target) and not named_folder and format_of_suffix(target):
            raise UsageError(
                target,
                f"is one file's name, for {len(sources)} inputs",
                f"write {target}{os.sep} for a folder of that name",
            )
        return [(source, target / source.name) for source in sources]
    if format_of_suffix(target) is None:
        found = f"the suffix {target.suffix} is unknown" if target.suffix else "has no suffix"
        raise UsageError(
            target,
            found,
            f"{known_suffixes()} are known; write {target}{os.sep} for a folder",
        )
    return [(source, target) for source in sources]


def _unique(inputs: Iterable[Path]) -> list[Path]:
    """Drops repeated inputs. A file under two names stays: it has two targets."""
    first: dict[str, Path] = {}
    for path in inputs:
        first.setdefault(_located(path), path)
    return list(first.values())


def _refuse_shared_targets(jobs: Sequence[Job]) -> None:
    names = [_fold(_located(job.target)) for job in jobs]
    counts = Counter(names)
    shared = [job for job, name in zip(jobs, names, strict=True) if counts[name] > 1]
    if shared:
        raise UsageError(
            _names(job.source for job in shared),
            f"would be written to the same file {_names({job.target for job in shared})}",
            "write them to different folders, one call each",
        )


def _refuse_inputs_as_targets(jobs: Sequence[Job]) -> None:
    sources = {_identity(job.source) for job in jobs}
    hit = [job.target for job in jobs if _identity(job.target) in sources]
    if hit:
        raise UsageError(
            _names(hit),
            "is also an input" if len(hit) == 1 else "are also inputs",
            "name the originals only, or write to another folder with -o",
        )


def _refuse_existing(existing: Sequence[Job], *, overwrite: bool) -> None:
    if overwrite:
        existing = [job for job in existing if _is_folder(job.target)]
    if existing:
        raise UsageError(
            _names(job.target for job in existing),
            "exists already" if len(existing) == 1 else "exist already",
            "move the folder away" if overwrite else "add --overwrite or --skip-existing",
        )


def _identity(path: Path) -> tuple[object, ...]:
    """Returns the same for two paths to one file: links, and letters' case on some disks."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return (_fold(os.path.realpath(path)),)
    return (found.st_dev, found.st_ino)


def _located(path: Path) -> str:
    """Returns a path whose folder's links are resolved, but not the file's own."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118


def _fold(path: str) -> str:
    """Returns the same for two names that could be one file on some disk.

    Case and Unicode composition are ignored, as macOS, Windows and memory cards do.
    """
    return unicodedata.normalize("NFC", path).casefold()


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 (where a folder may not be searched, Path raises)


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(dict.fromkeys(str(path) for path in paths))
