"""What is known about one saved model, read from its `metadata.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasdenoise.errors import ModelError

METADATA = "metadata.json"


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
        radius: How far it sees, in pixels; None for the whole image.
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
    radius: int | None
    files: Mapping[str, FileRecord] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def litert_path(self) -> Path:
        """The file that denoises without Keras."""
        return self.folder / "model.tflite"


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
            files=files,
            metadata=metadata,
        )
    except KeyError as error:
        raise ModelError(path, f"has no {error}", "export the model again") from error
    numbers = [info.stride, *([] if info.radius is None else [info.radius + 1])]
    if info.channels not in (1, 3) or not all(type(n) is int and n > 0 for n in numbers):
        raise ModelError(path, "channels, stride or radius is out of range", "export it again")
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
    except ValueError as error:
        raise ModelError(path, f"not valid JSON ({error})", "restore the file") from error
    if not isinstance(content, dict):
        raise ModelError(path, "not a JSON object", "restore the file")
    return content
