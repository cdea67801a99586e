"""How the photos of a run are found, and each is read, denoised and written."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerasdenoise.errors import UsageError, list_names
from kerasdenoise.files import Identity, check_target
from kerasdenoise.images.formats import format_of_suffix
from kerasdenoise.images.image import Image
from kerasdenoise.images.metadata import MetadataPolicy, describe_losses
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import Quality, check_writable, encode_image, write_image
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.inference.gpu import Device
from kerasdenoise.inference.image_types import denoise_image
from kerasdenoise.inference.settings import DenoiseSettings
from kerasdenoise.paths.photos import Found, find_photos
from kerasdenoise.paths.plan import Plan, plan_jobs, refuse_inputs
from kerasdenoise.paths.template import NameTemplate, can_be_written

# The share of a photo whose noise may be stronger than a model has learned, without a note.
_BEYOND = 0.1


@dataclass(frozen=True)
class Request:
    """The options of a command that decide what becomes of each photo.

    Every process that has the same request prepares the same treatment. Its fields are arguments
    of `Denoiser`, `Denoiser.prepare` and `Treatment`.
    """

    model: str | None = None
    strength: float = 1.0
    luma: float = 1.0
    chroma: float = 1.0
    detail: float = 0.0
    keep_grain: float = 0.0
    sigma: float | None = None
    quality: Literal["fast", "balanced", "best"] = "balanced"
    naturalness: float | None = None
    seed: int | None = None
    tile: int | Literal["auto"] = "auto"
    threads: int | None = None
    max_memory: int | None = None
    device: Device = "cpu"
    overwrite: bool = False
    jpeg_quality: Quality = None
    metadata: MetadataPolicy = "keep"
    bit_depth: int | None = None
    first_only: bool = False
    half_size: bool = False

    def prepare(self) -> Treatment:
        """Loads the model.

        Raises:
            ModelError: As `Denoiser`.
            UsageError: As `Denoiser` and `Denoiser.prepare`.
        """
        denoiser = Denoiser(
            self.model,
            threads=self.threads,
            tile=self.tile,
            sigma=self.sigma,
            quality=self.quality,
            naturalness=self.naturalness,
            seed=self.seed,
            max_memory=self.max_memory,
            device=self.device,
        )
        settings = denoiser.prepare(
            strength=self.strength,
            luma=self.luma,
            chroma=self.chroma,
            detail=self.detail,
            keep_grain=self.keep_grain,
        )
        return Treatment(
            denoiser,
            settings,
            self.overwrite,
            quality=self.jpeg_quality,
            metadata=self.metadata,
            bit_depth=self.bit_depth,
            first_only=self.first_only,
            half_size=self.half_size,
            max_memory=self.max_memory,
        )


@dataclass(frozen=True)
class Treatment:
    """The settings for reading, denoising and writing all photos.

    Attributes:
        denoiser: The denoiser.
        settings: Its settings; see `Denoiser.prepare`.
        overwrite: Whether existing files may be replaced.
        quality: Quality of lossy files; see `images.write.encode_image`.
        metadata: Which metadata is written.
        bit_depth: Bits per sample of the result; None for the photo's own.
        first_only: Whether to read the first image of a file with several.
        half_size: Whether to develop camera raw at half its height and width.
        max_memory: Most bytes of a decoded photo; None for half of the free memory.
    """

    denoiser: Denoiser
    settings: DenoiseSettings
    overwrite: bool = False
    quality: Quality = None
    metadata: MetadataPolicy = "keep"
    bit_depth: int | None = None
    first_only: bool = False
    half_size: bool = False
    max_memory: int | None = None

    def read(
        self, source: Path | bytes, name: str | None = None, *, to_write: bool = False
    ) -> Image:
        """Reads a photo; see `images.read.read_image`.

        Args:
            source: The photo.
            name: Its name in errors.
            to_write: Whether it will only be denoised and written. Its pixels then stay integers
                if the result has the same bit depth.
        """
        return read_image(
            source,
            name,
            half_size=self.half_size,
            first_only=self.first_only,
            exact=to_write and self.bit_depth is None,
            max_memory=self.max_memory,
        )

    def denoise(
        self,
        noisy: Image,
        *,
        on_tile: Callable[[], None] | None = None,
        name: object = "image",
    ) -> Image:
        """Denoises a photo; see `Denoiser.denoise_pixels`.

        The result's notes say if much of its noise is stronger than the model has learned, and
        why a GPU was given up.
        """
        denoise_into = functools.partial(
            self.denoiser.denoise_into, settings=self.settings, on_tile=on_tile
        )
        denoised = denoise_image(noisy, denoise_into, name)
        notes = list(denoised.notes)
        if self.denoiser.share_beyond > _BEYOND:
            name = self.denoiser.info.name
            notes.append(f"has more noise than {name} has learned to remove: some may be left")
        if self.denoiser.fallback:
            notes.append(f"denoised on the CPU: {self.denoiser.fallback}")
        return dataclasses.replace(denoised, notes=tuple(notes))

    def tile_count(self, height: int, width: int) -> int:
        """The number of tiles for a photo of this size."""
        return self.denoiser.tile_count(height, width, self.settings)

    def check(self, photo: Image, target: Path) -> None:
        """Rejects a photo that cannot be written; see `images.write.check_writable`."""
        check_writable(photo, target, bit_depth=self.bit_depth)

    def encode(self, denoised: Image) -> tuple[bytes, tuple[str, ...]]:
        """Encodes a photo; see `images.write.encode_image`.

        Returns:
            The content, and notes on everything that it loses or changes.
        """
        content = encode_image(
            denoised,
            quality=self.quality,
            metadata=self.metadata,
            bit_depth=self.bit_depth,
        )
        return content, describe_losses(denoised, denoised.format, self.metadata)

    def write(
        self, denoised: Image, target: Path, replaces: Identity | None, like: Path | None = None
    ) -> tuple[bytes, tuple[str, ...]]:
        """Writes a photo to a file; see `images.write.write_image`.

        Args:
            denoised: The photo.
            target: The file.
            replaces: What alone may be replaced; see `files.write_file`.
            like: The file that it is made of, if any.

        Returns:
            The content, and notes on everything that it loses or changes.
        """
        content = write_image(
            denoised,
            target,
            quality=self.quality,
            metadata=self.metadata,
            bit_depth=self.bit_depth,
            replaces=replaces,
            like=like,
        )
        return content, self.describe_losses(denoised, target)

    def describe_losses(self, photo: Image, target: Path) -> tuple[str, ...]:
        """Describes what a photo loses in a file; see `images.metadata.describe_losses`."""
        row = format_of_suffix(target)
        return describe_losses(photo, row.name if row else photo.format, self.metadata)


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


def check_compare(target: Path, plan: Plan, *, overwrite: bool) -> Identity | None:
    """Rejects a --compare image that cannot be written, or that is not for exactly one photo.

    Returns:
        What it may replace; see `files.check_target`.

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
    return check_target(target, overwrite=overwrite)


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
