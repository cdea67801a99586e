"""What is known about one saved model, read from its `metadata.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasdenoise.errors import ModelError
from kerasdenoise.foreign import fault_of_name

METADATA = "metadata.json"

# No model sees so far, or takes so much memory.
_LARGEST = 2**24

# The file of a model that computes with 8-bit integers alone.
INT8 = "model_int8.tflite"


@dataclass(frozen=True)
class FileRecord:
    """What the index records of one file: its SHA-256 in hexadecimal and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class ModelInfo:
    """A saved model.

    Attributes:
        name: What the command line calls it.
        folder: Where its files are.
        architecture: The name of the file in `kerasdenoise.models` that builds it.
        summary: One line: what it is for.
        channels: 1 for a gray model, 3 for RGB.
        stride: What the height and width of its input must be a multiple of.
        radius: How far it sees, in pixels, but for its global context.
        has_context: Whether it also needs statistics of the whole image.
        takes_noise_level: Whether it is told the level of the noise.
        estimates_level: Whether it estimates the level of the noise itself, and may be told
            another.
        keeps_tone: Whether what it removes has no mean of its own, so that the photo's tone is
            kept; see `inference.tone`.
        runs_int8: Whether a tile is denoised by its file of 8-bit integers.
        part: Edge of the parts that statistics of the whole image are taken from.
        bytes_per_pixel: What it takes of memory for each pixel of a tile, as far as is known.
        files: What the index records of its files, by their path in the folder; None for a
            model that was given as a path and of which nothing is recorded.
        metadata: All of `metadata.json`: parameters, license, recipe, data, figures.
    """

    name: str
    folder: Path
    architecture: str
    summary: str
    channels: int
    stride: int
    radius: int
    has_context: bool = False
    takes_noise_level: bool = False
    estimates_level: bool = False
    keeps_tone: bool = False
    runs_int8: bool = False
    part: int = 1024
    bytes_per_pixel: int = 1
    files: Mapping[str, FileRecord] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def follows_level(self) -> bool:
        """Whether a tile is denoised by a level of the noise, told or estimated."""
        return self.takes_noise_level or self.estimates_level

    @property
    def litert_path(self) -> Path:
        """The file that denoises a whole image without Keras."""
        return self.folder / "model.tflite"

    @property
    def context_path(self) -> Path | None:
        """The file that gives the statistics of an image's part, if the model needs such."""
        return self.folder / "context.tflite" if self.has_context else None

    @property
    def level_path(self) -> Path | None:
        """The file that estimates the level of the noise, if the model does."""
        return self.folder / "level.tflite" if self.estimates_level else None

    @property
    def int8_path(self) -> Path | None:
        """The file that denoises a tile by 8-bit integers alone, if the model has one."""
        has_one = "int8" in self.metadata and not self.has_context
        return self.folder / INT8 if has_one else None

    @property
    def mobile_paths(self) -> list[Path]:
        """The files that the GPUs and NPUs of phones take, in alphabetical order."""
        return sorted(self.folder.glob("mobile_*.tflite"))

    @property
    def tile_path(self) -> Path:
        """The file that denoises a tile of an image."""
        if self.runs_int8 and self.int8_path:
            return self.int8_path
        is_cut = self.has_context or self.estimates_level
        return self.folder / "tile.tflite" if is_cut else self.litert_path

    @property
    def run_paths(self) -> list[Path]:
        """All files that denoising an image in tiles runs."""
        return [path for path in (self.tile_path, self.context_path, self.level_path) if path]


def read_info(folder: Path, files: Mapping[str, FileRecord] | None = None) -> ModelInfo:
    """Reads a model's metadata.

    Args:
        folder: The model's folder.
        files: What the index records of its files, where there is an index.

    Raises:
        ModelError: The metadata is missing or does not describe a denoiser.
    """
    path = folder / METADATA
    try:
        metadata = read_json(path)
        info = ModelInfo(
            name=str(metadata["name"]),
            folder=folder,
            architecture=str(metadata["architecture"]),
            summary=str(metadata["summary"]),
            channels=metadata["channels"],
            stride=metadata["stride"],
            radius=metadata["radius"],
            has_context=bool(metadata.get("global_context", False)),
            takes_noise_level=bool(metadata.get("noise_level", False)),
            estimates_level=bool(metadata.get("estimates_level", False)),
            keeps_tone=bool(metadata.get("keeps_tone", False)),
            part=metadata.get("part", 1024),
            bytes_per_pixel=metadata.get("bytes_per_pixel", 1),
            files=files,
            metadata=metadata,
        )
    except KeyError as error:
        raise ModelError(path, f"has no {error}", "export the model again") from error
    if fault := fault_of_name(metadata["name"]):
        raise ModelError(path, f"its name {fault}", "export the model again")
    least = ((info.stride, 1), (info.radius, 0), (info.part, 1), (info.bytes_per_pixel, 1))
    if info.channels not in (1, 3) or not all(
        type(n) is int and low <= n <= _LARGEST for n, low in least
    ):
        raise ModelError(
            path,
            "channels, stride, radius, part or bytes_per_pixel is out of range",
            "export it again",
        )
    return info


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        ModelError: The file cannot be read or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(path, f"cannot be read ({error.strerror})", "check the path") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(path, f"not valid JSON ({error})", "restore the file") from error
    if not isinstance(content, dict):
        raise ModelError(path, "not a JSON object", "restore the file")
    return content
