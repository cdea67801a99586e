"""Denoises many photos. If one fails, the others continue, and the summary lists failures."""

from __future__ import annotations

import functools
import mmap
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import BinaryIO, TypeVar

from kerasdenoise.cli.photo import Photo, Result, Steps
from kerasdenoise.cli.report import Progress, Report, arrow, is_terminal, print_error, say
from kerasdenoise.cli.treatment import Treatment
from kerasdenoise.errors import list_names
from kerasdenoise.files import Identity
from kerasdenoise.images.formats import format_of_content, format_of_suffix
from kerasdenoise.images.tags import byte_order, directories, first_number
from kerasdenoise.paths.plan import Job, Plan
from kerasdenoise.plain_json import to_json

AHEAD_PIXELS = 48_000_000
"""Limit for reading ahead: with it, 2 GB of memory are enough for 16-bit photos of 24 megapixels
and for 8-bit photos of 48 megapixels."""

# Most memory of a photo: three float32 channels, before and after.
_BYTES_PER_PIXEL = 24

Item = TypeVar("Item")
Load = TypeVar("Load")

_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP")


Elsewhere = Callable[[Sequence[Job]], Iterator[tuple[Result, str | None]]]
"""Runs jobs, and returns each one's result and the traceback of its error, as they end."""


class Batch:
    """A run over the photos of a plan.

    With several threads, the next photo is read and the previous one is written while the network
    runs.

    Args:
        treatment: How each photo is read, denoised and written.
        compare: Where to write the only photo before and after, and what that may replace; or
            None.
        max_memory: Bytes for reading ahead; by default those of `AHEAD_PIXELS`.
        skip_existing: Skip photos whose target has appeared since planning.
        as_json: Print a JSON object per photo on standard output, and no messages.
        quiet: Print only errors.
        report: How detailed the messages are.
    """

    def __init__(
        self,
        treatment: Treatment,
        *,
        compare: tuple[Path, Identity | None] | None = None,
        max_memory: int | None = None,
        skip_existing: bool,
        as_json: bool,
        quiet: bool,
        report: Report,
    ) -> None:
        self._treatment = treatment
        self._denoiser = treatment.denoiser
        self._steps = Steps(treatment, compare=compare, skip_existing=skip_existing)
        affordable = AHEAD_PIXELS if max_memory is None else max_memory // _BYTES_PER_PIXEL
        self._ahead_pixels = min(AHEAD_PIXELS, affordable)
        self._as_json = as_json
        self._silent = quiet or as_json
        self._report = report
        self._counts: Counter[str] = Counter()
        self._failures: list[str | None] = []

    def run(self, plan: Plan, notes: Sequence[str] = (), elsewhere: Elsewhere | None = None) -> int:
        """Runs all jobs of a plan.

        Args:
            plan: The jobs.
            notes: What was skipped in folders, for the summary.
            elsewhere: What runs them instead of this process.

        Returns:
            The exit code: 0 if all were written or skipped as requested, 1 if some failed, 130
            if it was interrupted.
        """
        for job in plan.skipped:
            self._record(self._steps.result(job, "skipped"))
        self._say_renamed(plan)
        bar = is_terminal() and not self._silent
        to = arrow()  # before the bar replaces standard error
        size = _file_size if elsewhere is None else lambda _: 1  # they end in another order
        sizes = [size(job) for job in plan.jobs] if bar else None
        interrupted = False
        with Progress(sizes, quiet=self._silent) as progress:
            if self._report.verbosity:
                progress.line(self._details())
            steps = {
                "read": self._steps.read,
                "work": functools.partial(self._work, progress),
                "write": self._steps.write,
                "done": functools.partial(self._done, progress, to),
            }
            try:
                if elsewhere is None:
                    run_overlapped(plan.jobs, **steps, fits=self._fits)
                else:
                    for result, trace in elsewhere(plan.jobs):
                        progress.start_file(Path(result.input).name)
                        progress.end_file()
                        self._tell(progress, to, result, trace)
            except KeyboardInterrupt:
                interrupted = True
        self._summarize(notes)
        if interrupted:
            print_error(
                f"interrupted: {self._counts['written']} of {len(plan.jobs)} written, no partial "
                "files; run the same command with --skip-existing to resume"
            )
            return 130
        return 1 if self._counts["failed"] else 0

    def list(self, plan: Plan, notes: Sequence[str] = ()) -> int:
        """Reads all photos and prints what `run` would do, and writes nothing.

        Returns:
            The exit code: 0, or 1 if a photo cannot be read or its result cannot be written.
        """
        for job in plan.skipped:
            self._record(self._steps.result(job, "skipped"))
        self._say_renamed(plan)
        with Progress(None, quiet=self._silent) as progress:
            for job in plan.jobs:
                photo = self._steps.read(job)
                result = self._steps.finish(photo)
                if photo.image is not None:
                    result.status = "planned"
                    result.notes = self._treatment.describe_losses(photo.image, job.target)
                    size = f"{result.width} x {result.height} pixels"
                    tiles = "1 tile" if result.tiles == 1 else f"{result.tiles} tiles"
                    progress.line(f"{job.source} {arrow()} {job.target} ({size}, {tiles})")
                    for note in result.notes:
                        progress.line(f"{job.source}: {note}")
                elif photo.trace is not None:
                    self._report.trace(photo.trace)
                self._record(result)
        self._summarize(notes)
        return 1 if self._counts["failed"] else 0

    def _say_renamed(self, plan: Plan) -> None:
        if plan.renamed and not self._silent:
            say(
                f"{list_names(plan.renamed)}: the result's name includes the suffix, because "
                "another result would have the same name"
            )

    def _work(self, progress: Progress, photo: Photo, poll: Callable[[], None]) -> Photo:
        def on_tile() -> None:
            progress.advance()
            poll()

        progress.start_file(photo.job.source.name, photo.result.tiles or 1)
        self._steps.work(photo, on_tile)
        progress.end_file()
        return photo

    def _done(self, progress: Progress, to: str, photo: Photo) -> None:
        self._tell(progress, to, self._steps.finish(photo), photo.trace)

    def _tell(self, progress: Progress, to: str, result: Result, trace: str | None) -> None:
        if trace is not None:
            self._report.trace(trace)
        if result.status == "written":
            progress.line(f"{result.input} {to} {result.output} ({result.seconds:.1f} s)")
            for note in result.notes:
                progress.line(f"{result.input}: {note}")
        self._record(result)

    def _fits(self, photo: Photo, following: Job) -> bool:
        """Whether the next photo fits into memory beside this one."""
        if self._denoiser.threads == 1:
            return False
        size = read_size(following.source)
        if size is None:
            return False
        both = size[0] * size[1]
        limit = self._ahead_pixels
        if photo.image is not None:
            both += photo.image.height * photo.image.width
            limit *= 2 if photo.image.pixels.itemsize == 1 else 1
        return both <= limit

    def _record(self, result: Result) -> None:
        self._counts[result.status] += 1
        if result.status == "failed":
            self._failures.append(result.error)
        if self._as_json:
            print(to_json(asdict(result)), flush=True)

    def _summarize(self, notes: Sequence[str]) -> None:
        """Prints the counts, and then the failures, where people look."""
        counts = {each: self._counts[each] for each in ("planned", "written", "skipped", "failed")}
        if not self._silent:
            if notes:
                say(f"skipped {', '.join(notes)}")
            if self._counts.total() > 1 or counts["skipped"]:
                say(", ".join(f"{count} {status}" for status, count in counts.items() if count))
        for error in self._failures:
            print_error(error)

    def _details(self) -> str:
        info = self._denoiser.info
        return f"model {info.name} ({info.folder}), {self._denoiser.threads} threads"


def _file_size(job: Job) -> int:
    try:
        return job.source.stat().st_size
    except OSError:  # reported when the photo is read
        return 0


def run_overlapped(
    items: Sequence[Item],
    *,
    read: Callable[[Item], Load],
    work: Callable[[Load, Callable[[], None]], Load],
    write: Callable[[Load], Load],
    done: Callable[[Load], None],
    fits: Callable[[Load, Item], bool],
) -> None:
    """Processes all items in order, each in three steps that overlap with its neighbors' steps.

    To bound memory, at most one item is read ahead and at most one is still being written.
    An interruption waits for the current write to finish, but never for a reader: a decoder may
    take forever on a hostile file.

    Args:
        items: The items.
        read: The first step, in its own thread.
        work: The second step, in the caller's thread. It receives a function to call now and
            then, so that `done` need not wait for its end.
        write: The last step, in its own thread.
        done: Called with the result of each item, in the caller's thread.
        fits: Whether an item may be read during the work on the one before it. If not, nothing
            else is in memory while it is read.
    """
    writing: Future[Load] | None = None

    def finish() -> None:
        nonlocal writing
        last, writing = writing, None
        if last is not None:
            done(last.result())

    def poll() -> None:
        if writing is not None and writing.done():
            finish()

    try:
        ahead: Future[Load] | None = None
        for index, item in enumerate(items):
            # Never in this thread, which must receive interruptions.
            load = (ahead or _begin(read, item)).result()
            following = items[index + 1 : index + 2]
            fitting = [each for each in following if fits(load, each)]
            ahead = _begin(read, fitting[0]) if fitting else None
            load = work(load, poll)
            finish()
            writing = _begin(write, load)
            del load
            if ahead is None:
                finish()
    finally:
        finish()


def _begin(step: Callable[[Item], Load], item: Item) -> Future[Load]:
    """Runs a step in its own daemon thread."""
    future: Future[Load] = Future()

    def run() -> None:
        try:
            future.set_result(step(item))
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def read_size(source: Path) -> tuple[int, int] | None:
    """Returns a photo's width and height from its header, or None if they are unknown.

    The header of camera raw is that of a small preview, so it is not used. Damaged files are
    reported later, when they are read.
    """
    from PIL import Image

    row = format_of_suffix(source)
    if row is not None and row.name == "RAW":
        return None
    try:
        with source.open("rb") as file:
            if source.stat().st_size and (size := _tiff_size(file)):
                return size
            with (
                warnings.catch_warnings(action="ignore"),
                Image.open(file, formats=_FORMATS) as image,
            ):
                return image.size
    except Exception:  # decoders may raise anything on damaged files
        return None


def _tiff_size(file: BinaryIO) -> tuple[int, int] | None:
    """Returns the size of a TIFF file's first page without reading all tags, as Pillow would."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        row = format_of_content(content[:16])
        if row is None or row.name != "TIFF":
            return None
        tags = next(directories(content), {})
        order = byte_order(content)
        width, height = (first_number(tags, number, order) for number in (256, 257))
        return (width, height) if width and height else None
