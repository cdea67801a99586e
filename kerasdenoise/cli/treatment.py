"""What is done to each photo of a run: how it is read, denoised and written."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kerasdenoise.images.formats import FORMATS, Format, format_of_suffix
from kerasdenoise.images.image import Image
from kerasdenoise.images.metadata_loss import lost_metadata
from kerasdenoise.images.plan import Job
from kerasdenoise.images.policy import MetadataPolicy, apply_policy
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import Quality, check_writable, encode_image, write_image
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.inference.image_types import denoise_image
from kerasdenoise.inference.settings import DenoiseSettings


@dataclass(frozen=True)
class Treatment:
    """One way of reading, denoising and writing, for all photos.

    Attributes:
        denoiser: What denoises.
        settings: How it does; see `Denoiser.prepare`.
        overwrite: Whether existing files may be replaced.
        quality: Of files coded with loss; see `images.write.encode_image`.
        metadata: What of the metadata is written.
        bit_depth: Bits per sample of what is written; the photo's own if None.
        first_only: Whether the first picture is read of a file with several.
        half_size: Whether camera raw is developed at half its height and width.
        max_memory: Bytes that a decoded photo may take; half of what is free if None.
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
            name: What errors call it.
            to_write: Whether it will be denoised and written, and nothing else: its pixels then
                stay integers, if they are to be written with as many bits.
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
        """Denoises a photo; see `Denoiser.denoise_pixels`."""
        denoise_into = functools.partial(
            self.denoiser.denoise_into, settings=self.settings, on_tile=on_tile
        )
        return denoise_image(noisy, denoise_into, name)

    def tile_count(self, height: int, width: int) -> int:
        """The number of tiles for a photo of this size."""
        return self.denoiser.tile_count(height, width, self.settings)

    def check(self, photo: Image, target: Path) -> None:
        """Refuses a photo that cannot be written; see `images.write.check_writable`."""
        check_writable(photo, target, bit_depth=self.bit_depth)

    def encode(self, denoised: Image) -> tuple[bytes, tuple[str, ...]]:
        """Makes a file's content of a photo; see `images.write.encode_image`.

        Returns:
            The content, and all that it lacks of the photo's or has otherwise, in words.
        """
        content = encode_image(
            denoised,
            quality=self.quality,
            metadata=self.metadata,
            bit_depth=self.bit_depth,
        )
        return content, self._notes(denoised, FORMATS[denoised.format])

    def write(self, denoised: Image, target: Path, job: Job | None = None) -> tuple[str, ...]:
        """Writes a photo to a file; see `images.write.write_image`.

        Returns:
            All that the file lacks of the photo's or has otherwise, in words.
        """
        write_image(
            denoised,
            target,
            overwrite=self.overwrite,
            quality=self.quality,
            metadata=self.metadata,
            bit_depth=self.bit_depth,
            job=job,
        )
        return self._notes(denoised, format_of_suffix(target) or FORMATS[denoised.format])

    def write_picture(self, picture: Image, target: Path, job: Job | None = None) -> None:
        """Writes a picture that shows photos, rather than one; it is coded as usual."""
        write_image(picture, target, overwrite=self.overwrite, job=job)

    def _notes(self, denoised: Image, row: Format) -> tuple[str, ...]:
        wanted = replace(denoised, metadata=apply_policy(denoised.metadata, self.metadata))
        lost = ", ".join(lost_metadata(wanted, row.name))
        return (*denoised.notes, *([f"loses {lost}: {row.title} has no place for it"] * bool(lost)))
