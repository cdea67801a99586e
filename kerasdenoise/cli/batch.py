"""Denoising many photos: one failing never stops the others, and the end says which."""

from __future__ import annotations

import json
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from kerasdenoise.cli.progress import Progress
from kerasdenoise.cli.report import Report, arrow, is_terminal, print_error, say
from kerasdenoise.errors import InputError, KerasDenoiseError, ModelError
from kerasdenoise.images.plan import Job, Plan
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import write_image
from kerasdenoise.inference.denoiser import Denoiser


@dataclass
class Result:
    """What became of one photo; the keys of a line of `--json`."""

    input: str
    output: str
    status: Literal["written", "skipped", "failed"]
    model: str
    strength: float
    width: int | None = None
    height: int | None = None
    bit_depth: int | None = None
    seconds: float | None = None
    error: str | None = None


class Batch:
    """A run over the photos of a plan.

    Args:
        denoiser: What denoises.
        strength: How much of the denoising to apply, in [0, 2]; the denoiser can follow it.
        overwrite: Replace results that are there.
        as_json: Print a JSON object per photo on standard output, and no messages.
        quiet: Print only errors.
        report: How much to tell.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        strength: float,
        overwrite: bool,
        as_json: bool,
        quiet: bool,
        report: Report,
    ) -> None:
        self._denoiser = denoiser
        self._strength = strength
        self._overwrite = overwrite
        self._as_json = as_json
        self._silent = quiet or as_json
        self._report = report
        self._results: list[Result] = []

    def run(self, plan: Plan) -> int:
        """Does all jobs of a plan.

        Returns:
            The exit code: 0 if all were written or skipped as asked, 1 if some failed, 130
            if it was interrupted.
        """
        for job in plan.skipped:
            self._record(self._result(job, "skipped"))
        bar = is_terminal() and not self._silent
        to = arrow()  # asked before the bar takes standard error's place
        tiles = [self._expected_tiles(job.source) for job in plan.jobs] if bar else None
        try:
            with Progress(tiles, quiet=self._silent) as progress:
                if self._report.verbosity:
                    progress.line(self._details())
                for job in plan.jobs:
                    progress.start_file(job.source.name)
                    result = self._do(job, progress)
                    progress.end_file()
                    self._record(result)
                    if result.status == "written":
                        progress.line(f"{job.source} {to} {job.target} ({result.seconds:.1f} s)")
        except KeyboardInterrupt:
            self._summarize()
            print_error(
                f"interrupted: {self._count('written')} of {len(plan.jobs)} written, none of them "
                "by half; run the same command with --skip-existing to do the others"
            )
            return 130
        self._summarize()
        return 1 if self._count("failed") else 0

    def _do(self, job: Job, progress: Progress) -> Result:
        """Does one job; whatever goes wrong with it is part of its result."""
        start = time.perf_counter()
        result = self._result(job, "failed")
        try:
            image = read_image(job.source)
            result.height, result.width = image.pixels.shape[:2]
            result.bit_depth = image.bit_depth
            image = self._denoiser.denoise_image(
                image, self._strength, on_tile=progress.advance, name=job.source
            )
            write_image(image, job.target, overwrite=self._overwrite)
        except ModelError as error:
            self._report.traceback(error)
            result.error = str(InputError(job.source, f"the model failed: {error}"))
        except KerasDenoiseError as error:
            self._report.traceback(error)
            result.error = str(error)
        except MemoryError as error:
            self._report.traceback(error)
            result.error = str(InputError(job.source, "not enough memory", "use a smaller --tile"))
        except Exception as error:
            self._report.traceback(error)
            cause = f"unexpected {type(error).__name__}: {error}"
            remedy = "run it again with -vv and report what it prints"
            result.error = str(InputError(job.source, cause, remedy))
        else:
            result.status = "written"
            result.seconds = round(time.perf_counter() - start, 3)
        return result

    def _result(self, job: Job, status: Literal["skipped", "failed"]) -> Result:
        return Result(
            str(job.source), str(job.target), status, self._denoiser.info.name, self._strength
        )

    def _record(self, result: Result) -> None:
        self._results.append(result)
        if self._as_json:
            print(json.dumps(asdict(result)), flush=True)

    def _count(self, status: str) -> int:
        return sum(result.status == status for result in self._results)

    def _summarize(self) -> None:
        """Says what failed, last, where one looks."""
        counts = {each: self._count(each) for each in ("written", "skipped", "failed")}
        if not self._silent and (len(self._results) > 1 or counts["skipped"]):
            say(", ".join(f"{count} {status}" for status, count in counts.items() if count))
        for result in self._results:
            if result.status == "failed":
                print_error(result.error)

    def _details(self) -> str:
        info = self._denoiser.info
        return f"model {info.name} ({info.folder}), {self._denoiser.threads} threads"

    def _expected_tiles(self, source: Path) -> int:
        """The number of tiles by the file's header; 0 if it cannot be read."""
        from PIL import Image

        with warnings.catch_warnings(action="ignore"):
            try:
                with Image.open(source) as image:
                    width, height = image.size
            except Exception:  # what is wrong with the file is said when its turn comes
                return 0
        return self._denoiser.tile_count(height, width)
