"""How each photo of a run is read, denoised and written."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasdenoise.images.formats import format_of_suffix
from kerasdenoise.images.image import Image
from kerasdenoise.images.metadata import MetadataPolicy, describe_losses
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import Quality, check_writable, encode_image, write_image
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.inference.image_types import denoise_image
from kerasdenoise.inference.settings import DenoiseSettings
from kerasdenoise.paths.plan import Job


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
        """Denoises a photo; see `Denoiser.denoise_pixels`."""
        denoise_into = functools.partial(
            self.denoiser.denoise_into, settings=self.settings, on_tile=on_tile
        )
        return denoise_image(noisy, denoise_into, name)

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

    def write(self, denoised: Image, target: Path, job: Job | None = None) -> tuple[str, ...]:
        """Writes a photo to a file; see `images.write.write_image`.

        Returns:
            Notes on everything that the file loses or changes.
        """
        write_image(
            denoised,
            target,
            overwrite=self.overwrite,
            quality=self.quality,
            metadata=self.metadata,
            bit_depth=self.bit_depth,
            **_place_of(job),
        )
        row = format_of_suffix(target)
        return describe_losses(denoised, row.name if row else denoised.format, self.metadata)

    def write_picture(self, picture: Image, target: Path, job: Job | None = None) -> None:
        """Writes an image that shows photos, with default format settings."""
        write_image(picture, target, overwrite=self.overwrite, **_place_of(job))


def _place_of(job: Job | None) -> dict[str, Any]:
    """Returns what of a plan tells `write_image` which file to replace, and to be like."""
    return {} if job is None else {"replaces": job.replaces, "like": job.source}
