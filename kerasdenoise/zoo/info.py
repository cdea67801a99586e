"""The facts about one saved model, read from its `metadata.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasdenoise.errors import ModelError
from kerasdenoise.foreign import fault_of_name
from kerasdenoise.plain_json import read_object

METADATA = "metadata.json"

# No model has a radius this large, or uses this much memory.
_LARGEST = 2**24

# A model's file that computes with 8-bit integers only.
INT8 = "model_int8.tflite"


@dataclass(frozen=True)
class FileRecord:
    """The index's record of one file: its SHA-256 in hexadecimal and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class ModelInfo:
    """A saved model.

    Attributes:
        name: Its name on the command line.
        folder: The folder of its files.
        architecture: The file in `kerasdenoise.models` that builds it.
        summary: One line on its purpose.
        channels: 1 for a gray model, 3 for RGB.
        stride: What the height and width of its input must be a multiple of.
        radius: How far it sees, in pixels, apart from its global context.
        has_context: Whether it also needs statistics of the whole image.
        takes_noise_level: Whether the noise level is one of its inputs.
        estimates_level: Whether it estimates the noise level itself, and accepts another.
        keeps_tone: Whether the photo's tone is kept, because the noise that it removes has zero
            mean; see `inference.tone`.
        runs_int8: Whether its 8-bit integer file denoises the tiles.
        part: Height and width of the parts from which statistics of the whole image are taken.
        bytes_per_pixel: Memory for each pixel of a tile, as far as known.
        files: The index's records of its files, by their path in the folder; None for a model
            given by its path, which has no records.
        metadata: All of `metadata.json`: parameters, license, recipe, data, results.
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
        """Whether the network uses a noise level, given or estimated."""
        return self.takes_noise_level or self.estimates_level

    @property
    def litert_path(self) -> Path:
        """The file that denoises a whole image without Keras."""
        return self.folder / "model.tflite"

    @property
    def context_path(self) -> Path | None:
        """The file that computes statistics of a part of an image, if the model needs them."""
        return self.folder / "context.tflite" if self.has_context else None

    @property
    def level_path(self) -> Path | None:
        """The file that estimates the noise level, if the model does."""
        return self.folder / "level.tflite" if self.estimates_level else None

    @property
    def int8_path(self) -> Path | None:
        """The file that denoises a tile with 8-bit integers only, if the model has one."""
        has_one = "int8" in self.metadata and not self.has_context
        return self.folder / INT8 if has_one else None

    @property
    def mobile_paths(self) -> list[Path]:
        """The files for phone GPUs and NPUs, in alphabetical order."""
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
        files: The index's records of its files, if it is in an index.

    Raises:
        ModelError: The metadata is missing or does not describe a denoiser.
    """
    path = folder / METADATA
    try:
        metadata = read_object(path, ModelError)
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
            "export the model again",
        )
    return info
