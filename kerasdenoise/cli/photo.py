"""What is done with one photo of a batch, in this process or in one of another machine."""

from __future__ import annotations

import contextlib
import hashlib
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerasdenoise.cli.treatment import Treatment
from kerasdenoise.errors import InputError, KerasDenoiseError, ModelError
from kerasdenoise.files import Identity
from kerasdenoise.images.image import Image
from kerasdenoise.images.orientation import side_by_side
from kerasdenoise.images.write import write_image
from kerasdenoise.paths.plan import Job
from kerasdenoise.stores import exists

Status = Literal["written", "skipped", "failed", "planned"]


@dataclass
class Result:
    """The result for one photo; its fields are the keys of a `--json` line."""

    input: str
    output: str
    status: Status
    model: str
    strength: float
    format: str | None = None
    width: int | None = None
    height: int | None = None
    bit_depth: int | None = None
    tiles: int | None = None
    device: str | None = None
    seconds: float | None = None
    notes: Sequence[str] = ()
    error: str | None = None


@dataclass
class Photo:
    """A photo in progress.

    Attributes:
        job: Where it is read and written.
        result: What is known of it.
        image: First noisy, then denoised, then None.
        noisy: The noisy image, if both are written side by side.
        sha256: That of the written file, if it is wanted.
        seconds: The time of all steps.
        error: What ended them.
    """

    job: Job
    result: Result
    image: Image | None = None
    noisy: Image | None = None
    sha256: str | None = None
    seconds: float = 0.0
    error: Exception | None = None

    @property
    def trace(self) -> str | None:
        """The traceback of the error."""
        return "".join(traceback.format_exception(self.error)) if self.error else None


class Steps:
    """The steps for each photo. An error ends those of its photo only, and stays in `Photo.error`.

    Args:
        treatment: How each photo is read, denoised and written.
        compare: Where to write the only photo before and after, and what that may replace; or
            None.
        skip_existing: Skip photos whose target has appeared since planning.
        digest: Whether the written files' SHA-256 is wanted.
    """

    def __init__(
        self,
        treatment: Treatment,
        *,
        compare: tuple[Path, Identity | None] | None = None,
        skip_existing: bool,
        digest: bool = False,
    ) -> None:
        self.treatment = treatment
        self._compare = compare
        self._skip_existing = skip_existing
        self._digest = digest

    def result(self, job: Job, status: Status) -> Result:
        """The result for a photo of which nothing else is known."""
        model = self.treatment.denoiser.info.name
        strength = self.treatment.settings.strength
        return Result(str(job.source), str(job.target), status, model, strength)

    def read(self, job: Job) -> Photo:
        """Reads a photo, and rejects it if its result could not be written."""
        photo = Photo(job, self.result(job, "failed"))
        with _stage(photo):
            if self._skip_existing and exists(job.target):
                photo.result.status = "skipped"
                return photo
            image = self.treatment.read(job.source, to_write=self._compare is None)
            self.treatment.check(image, job.target)  # before the work, not after it
            photo.image = image
            photo.result.width, photo.result.height = image.width, image.height
            photo.result.bit_depth = image.bit_depth
            photo.result.format = image.format
            photo.result.notes = image.notes
            photo.result.tiles = self.treatment.tile_count(image.height, image.width)
        return photo

    def work(self, photo: Photo, on_tile: Callable[[], None] | None = None) -> Photo:
        """Denoises a photo that was read."""
        image, photo.image = photo.image, None
        if image is not None:
            with _stage(photo):
                photo.image = self.treatment.denoise(image, on_tile=on_tile, name=photo.job.source)
                photo.noisy = image if self._compare else None
                photo.result.device = self.treatment.denoiser.device
        return photo

    def write(self, photo: Photo) -> Photo:
        """Writes a photo that was denoised."""
        if photo.image is None:
            return photo
        with _stage(photo):
            job = photo.job
            content, photo.result.notes = self.treatment.write(
                photo.image, job.target, job.replaces, like=job.source
            )
            if self._digest:
                photo.sha256 = hashlib.sha256(content).hexdigest()
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

    def finish(self, photo: Photo) -> Result:
        """The result, with the time of a written photo, or with the error of one that failed."""
        result = photo.result
        if photo.error is not None:
            result.error = _explain(photo.error, photo.job)
        if result.status == "written":
            result.seconds = round(photo.seconds, 3)
        return result


@contextlib.contextmanager
def _stage(photo: Photo) -> Iterator[None]:
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
