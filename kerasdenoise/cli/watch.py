"""Denoises the photos of a folder as they arrive."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from kerasdenoise.cli.report import say
from kerasdenoise.errors import UsageError
from kerasdenoise.paths.photos import NoPhotosError
from kerasdenoise.paths.plan import Plan

# Seconds between two looks at the folder. A file that does not change in between is complete.
_PAUSE = 2.0

# The exit code of a batch that Ctrl-C ended.
_INTERRUPTED = 130

# Size and time of a file, which change while it is written.
_State = tuple[int, int]


def check_watch(inputs: tuple[str, ...], output: str | None) -> None:
    """Refuses what cannot be watched.

    Raises:
        UsageError: It is not one folder, or there is no folder for the results.
    """
    if len(inputs) != 1 or not Path(inputs[0]).is_dir():
        raise UsageError("--watch", f"needs one folder, not {' '.join(inputs)}", "name a folder")
    if output is None:
        raise UsageError("--watch", "needs a folder for the results", "add -o FOLDER")
    if Path(output).exists() and not Path(output).is_dir():
        raise UsageError(f"-o {output}", "is a file", "name a folder")


def watch_folder(
    folder: str, find: Callable[[], tuple[Plan, object]], run: Callable[[Plan], int], quiet: bool
) -> int:
    """Denoises new photos until it is interrupted.

    A photo that failed is tried again only after it has changed.

    Args:
        folder: The folder, for messages.
        find: Plans the photos of the folder that have no result; see `make_plan`.
        run: Runs a plan; returns the exit code of `Batch.run`.
        quiet: Whether to print only errors.

    Returns:
        The exit code: 0, or 1 if a photo failed.
    """
    seen: dict[Path, _State | None] = {}
    tried: dict[Path, _State | None] = {}
    code = 0
    if not quiet:
        say(f"{folder}: watching; Ctrl-C stops")
    try:
        while True:
            try:
                plan, _ = find()
            except NoPhotosError:
                plan = Plan(())
            states = {job.source: _state(job.source) for job in plan.jobs}
            jobs = tuple(
                job
                for job in plan.jobs
                if (state := states[job.source])
                and seen.get(job.source) == state != tried.get(job.source)
            )
            seen = states
            if jobs:
                tried |= {job.source: states[job.source] for job in jobs}
                outcome = run(dataclasses.replace(plan, jobs=jobs, skipped=()))
                if outcome == _INTERRUPTED:  # which is reported already
                    return outcome
                code = max(code, outcome)
            time.sleep(_PAUSE)
    except KeyboardInterrupt:
        return code


def _state(path: Path) -> _State | None:
    try:
        found = path.stat()
    except OSError:  # it is gone, or may not be read yet
        return None
    return found.st_size, found.st_mtime_ns
