"""Denoises many photos. If one fails, the others continue, and the summary lists failures."""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import BinaryIO, Literal, TypeVar

from kerasdenoise.cli.report import Progress, Report, arrow, is_terminal, print_error, say
from kerasdenoise.cli.treatment import Treatment
from kerasdenoise.errors import (
    InputError,
    KerasDenoiseError,
    ModelError,
    list_names,
)
from kerasdenoise.files import Identity
from kerasdenoise.images.formats import format_of_content, format_of_suffix
from kerasdenoise.images.image import Image
from kerasdenoise.images.orientation import side_by_side
from kerasdenoise.images.tags import byte_order, directories, first_number
from kerasdenoise.images.write import write_image
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


@dataclass
class Result:
    """The result for one photo; its fields are the keys of a `--json` line."""

    input: str
    output: str
    status: Literal["written", "skipped", "failed", "planned"]
    model: str
    strength: float
    format: str | None = None
    width: int | None = None
    height: int | None = None
    bit_depth: int | None = None
    tiles: int | None = None
    seconds: float | None = None
    notes: Sequence[str] = ()
    error: str | None = None


@dataclass
class _Photo:
    """A photo in progress; `image` is first noisy, then denoised."""

    job: Job
    result: Result
    image: Image | None = None
    noisy: Image | None = None
    seconds: float = 0.0
    error: Exception | None = None


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
        self._compare = compare
        affordable = AHEAD_PIXELS if max_memory is None else max_memory // _BYTES_PER_PIXEL
        self._ahead_pixels = min(AHEAD_PIXELS, affordable)
        self._skip_existing = skip_existing
        self._as_json = as_json
        self._silent = quiet or as_json
        self._report = report
        self._results: list[Result] = []

    def run(self, plan: Plan, notes: Sequence[str] = ()) -> int:
        """Runs all jobs of a plan.

        Args:
            plan: The jobs.
            notes: What was skipped in folders, for the summary.

        Returns:
            The exit code: 0 if all were written or skipped as requested, 1 if some failed, 130
            if it was interrupted.
        """
        for job in plan.skipped:
            self._record(self._result(job, "skipped"))
        self._say_renamed(plan)
        bar = is_terminal() and not self._silent
        to = arrow()  # before the bar replaces standard error
        sizes = [_file_size(job) for job in plan.jobs] if bar else None
        interrupted = False
        with Progress(sizes, quiet=self._silent) as progress:
            if self._report.verbosity:
                progress.line(self._details())
            steps = {
                "read": self._read,
                "work": functools.partial(self._work, progress),
                "write": self._write,
                "done": functools.partial(self._done, progress, to),
            }
            try:
                run_overlapped(plan.jobs, **steps, fits=self._fits)
            except KeyboardInterrupt:
                interrupted = True
        self._summarize(notes)
        if interrupted:
            print_error(
                f"interrupted: {self._count('written')} of {len(plan.jobs)} written, no partial "
                "files; run the same command with --skip-existing to resume"
            )
            return 130
        return 1 if self._count("failed") else 0

    def list(self, plan: Plan, notes: Sequence[str] = ()) -> int:
        """Reads all photos and prints what `run` would do, and writes nothing.

        Returns:
            The exit code: 0, or 1 if a photo cannot be read or its result cannot be written.
        """
        for job in plan.skipped:
            self._record(self._result(job, "skipped"))
        self._say_renamed(plan)
        with Progress(None, quiet=self._silent) as progress:
            for job in plan.jobs:
                photo = self._read(job)
                result = photo.result
                if photo.image is not None:
                    result.status = "planned"
                    result.notes = self._treatment.describe_losses(photo.image, job.target)
                    size = f"{result.width} x {result.height} pixels"
                    tiles = "1 tile" if result.tiles == 1 else f"{result.tiles} tiles"
                    progress.line(f"{job.source} {arrow()} {job.target} ({size}, {tiles})")
                    for note in result.notes:
                        progress.line(f"{job.source}: {note}")
                elif photo.error is not None:
                    self._report.traceback(photo.error)
                    result.error = _explain(photo.error, job)
                self._record(result)
        self._summarize(notes)
        return 1 if self._count("failed") else 0

    def _say_renamed(self, plan: Plan) -> None:
        if plan.renamed and not self._silent:
            say(
                f"{list_names(plan.renamed)}: the result's name includes the suffix, because "
                "another result would have the same name"
            )

    def _read(self, job: Job) -> _Photo:
        photo = _Photo(job, self._result(job, "failed"))
        if self._skip_existing and os.path.lexists(job.target):
            photo.result.status = "skipped"
            return photo
        with _stage(photo):
            image = self._treatment.read(job.source, to_write=self._compare is None)
            self._treatment.check(image, job.target)  # before the work, not after it
            photo.image = image
            photo.result.width, photo.result.height = image.width, image.height
            photo.result.bit_depth = image.bit_depth
            photo.result.format = image.format
            photo.result.notes = image.notes
            photo.result.tiles = self._treatment.tile_count(image.height, image.width)
        return photo

    def _work(self, progress: Progress, photo: _Photo, poll: Callable[[], None]) -> _Photo:
        def on_tile() -> None:
            progress.advance()
            poll()

        progress.start_file(photo.job.source.name, photo.result.tiles or 1)
        image, photo.image = photo.image, None
        if image is not None:
            with _stage(photo):
                photo.image = self._treatment.denoise(image, on_tile=on_tile, name=photo.job.source)
                photo.noisy = image if self._compare else None
        progress.end_file()
        return photo

    def _write(self, photo: _Photo) -> _Photo:
        if photo.image is None:
            return photo
        with _stage(photo):
            job = photo.job
            photo.result.notes = self._treatment.write(
                photo.image, job.target, job.replaces, like=job.source
            )
            if self._compare and photo.noisy:
                target, replaces = self._compare
                write_image(side_by_side([photo.noisy, photo.image]), target, replaces=replaces)
        if photo.error is None:
            photo.result.status = "written"
        elif self._skip_existing and isinstance(photo.error.__cause__, FileExistsError):
            photo.result.status = "skipped"  # another run was faster
            photo.error = None
        photo.image = photo.noisy = None
        return photo

    def _done(self, progress: Progress, to: str, photo: _Photo) -> None:
        result = photo.result
        if photo.error is not None:
            self._report.traceback(photo.error)
            result.error = _explain(photo.error, photo.job)
        if result.status == "written":
            result.seconds = round(photo.seconds, 3)
            progress.line(f"{photo.job.source} {to} {photo.job.target} ({photo.seconds:.1f} s)")
            for note in result.notes:
                progress.line(f"{photo.job.source}: {note}")
        self._record(result)

    def _fits(self, photo: _Photo, following: Job) -> bool:
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

    def _result(self, job: Job, status: Literal["skipped", "failed", "planned"]) -> Result:
        model = self._denoiser.info.name
        return Result(
            str(job.source), str(job.target), status, model, self._treatment.settings.strength
        )

    def _record(self, result: Result) -> None:
        self._results.append(result)
        if self._as_json:
            print(to_json(asdict(result)), flush=True)

    def _count(self, status: str) -> int:
        return sum(result.status == status for result in self._results)

    def _summarize(self, notes: Sequence[str]) -> None:
        """Prints the counts, and then the failures, where people look."""
        counts = {each: self._count(each) for each in ("planned", "written", "skipped", "failed")}
        if not self._silent:
            if notes:
                say(f"skipped {', '.join(notes)}")
            if len(self._results) > 1 or counts["skipped"]:
                say(", ".join(f"{count} {status}" for status, count in counts.items() if count))
        for result in self._results:
            if result.status == "failed":
                print_error(result.error)

    def _details(self) -> str:
        info = self._denoiser.info
        return f"model {info.name} ({info.folder}), {self._denoiser.threads} threads"


@contextlib.contextmanager
def _stage(photo: _Photo) -> Iterator[None]:
    """Times a step, and records its error in the photo."""
    start = time.perf_counter()
    try:
        yield
    except BrokenPipeError:  # the reader of standard output has closed it
        raise
    except Exception as error:
        photo.error = error
    finally:
        photo.seconds += time.perf_counter() - start


def _explain(error: Exception, job: Job) -> str:
    """Describes a photo's error in one line."""
    if isinstance(error, ModelError):
        return str(InputError(job.source, f"the model failed: {error}"))
    if isinstance(error, KerasDenoiseError):
        return str(error)
    if isinstance(error, MemoryError):
        return str(InputError(job.source, "not enough memory", "use a smaller --tile"))
    cause = f"unexpected {type(error).__name__}: {error}"
    return str(InputError(job.source, cause, "run it again with -vv and report the output"))


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
