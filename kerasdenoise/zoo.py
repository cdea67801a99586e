"""Saved models: finds, describes and verifies them.

A folder of models holds `index.json` and one folder per model:

    saved_models/
      index.json          {"default": name, "models": {name: {"summary", "files"}}}
      photo/
        metadata.json     the fields of `ModelInfo`
        config.json  model.tflite  …
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import math
import os
import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from kerasdenoise.errors import ModelError, describe_unexpected
from kerasdenoise.foreign import fault_of_name
from kerasdenoise.plain_json import read_object

METADATA = "metadata.json"

T = TypeVar("T")

# No model has a radius this large, or uses this much memory.
_LARGEST = 2**24

_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
}
_REMEDY = "export the model again"

# A model's file that computes with 8-bit integers only.
INT8 = "model_int8.tflite"

INDEX = "index.json"

_PACKAGE = Path(__file__).resolve().parent

# What a model's name begins with on the Hugging Face Hub.
_HUB = "hf://"

# Besides the files that denoising runs. A wheel omits the others.
REQUIRED = (METADATA, "config.json")


@dataclass(frozen=True)
class FileRecord:
    """The index's record of one file: its SHA-256 in hexadecimal and its size in bytes."""

    sha256: str
    size: int


# A model's folder, and the records of its files.
Entry = tuple[Path, dict[str, FileRecord]]


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
        has_detail: Whether a file of its own adds detail, which it invents, to the others' result.
        leaves_detail_out: Whether that file is not run.
        mean_radius: How far it sees without that file, in pixels.
        highest_level: The largest noise level that it has learned, on the [0, 1] scale, which more
            counts as; None where it learned no limit.
        runs_int8: Whether its 8-bit integer file denoises the tiles.
        part: Height and width of the parts from which statistics of the whole image are taken.
        bytes_per_pixel: Memory for each pixel of a tile, as far as known.
        files: The index's records of its files, by their path in the folder; None for a model of
            no index, or given by its path and changed since.
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
    has_detail: bool = False
    leaves_detail_out: bool = False
    mean_radius: int = 0
    highest_level: float | None = None
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
    def detail_path(self) -> Path | None:
        """The file that gives the detail to add, if the model adds any."""
        adds = self.has_detail and not self.leaves_detail_out
        return self.folder / "detail.tflite" if adds else None

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
        is_cut = self.has_context or self.estimates_level or self.has_detail
        return self.folder / "tile.tflite" if is_cut else self.litert_path

    @property
    def run_paths(self) -> list[Path]:
        """All files that denoising an image in tiles runs."""
        paths = (self.tile_path, self.context_path, self.level_path, self.detail_path)
        return [path for path in paths if path]


def read_info(folder: Path, files: Mapping[str, FileRecord] | None = None) -> ModelInfo:
    """Reads a model's metadata.

    Args:
        folder: The model's folder.
        files: The index's records of its files, if it is in an index.

    Raises:
        ModelError: The metadata is missing or does not describe a denoiser.
    """
    path = folder / METADATA
    metadata = read_object(path, ModelError)

    def get(name: str, kind: type[T], default: T | None = None) -> T:
        value = metadata.get(name, default)
        if value is None:
            raise ModelError(path, f"has no {name!r}", _REMEDY)
        if type(value) is not kind:  # true is no number
            raise ModelError(path, f"{_quote(name, value)} is not {_KINDS[kind]}", _REMEDY)
        return value

    def number(name: str, least: int, default: int | None = None) -> int:
        value = get(name, int, default)
        if not least <= value <= _LARGEST:
            cause = f"{_quote(name, value)} is out of range, from {least} to {_LARGEST:,}"
            raise ModelError(path, cause, _REMEDY)
        return value

    info = ModelInfo(
        name=get("name", str),
        folder=folder,
        architecture=get("architecture", str),
        summary=get("summary", str),
        channels=number("channels", 1),
        stride=number("stride", 1),
        radius=number("radius", 0),
        has_context=get("global_context", bool, False),
        takes_noise_level=get("noise_level", bool, False),
        estimates_level=get("estimates_level", bool, False),
        keeps_tone=get("keeps_tone", bool, False),
        has_detail="mean_radius" in metadata,
        mean_radius=number("mean_radius", 0, 0),
        highest_level=get("highest_level", float) if "highest_level" in metadata else None,
        part=number("part", 1, 1024),
        bytes_per_pixel=number("bytes_per_pixel", 1, 1),
        files=files,
        metadata=metadata,
    )
    for name, kind in (("license", str), ("training", dict), ("files", dict), ("int8", dict)):
        get(name, kind, kind())
    if fault := fault_of_name(info.name):
        raise ModelError(path, f"its name {fault}", _REMEDY)
    if info.highest_level is not None and not 0 < info.highest_level < math.inf:
        cause = f"{_quote('highest_level', info.highest_level)} is not above 0"
        raise ModelError(path, cause, _REMEDY)
    if info.channels not in (1, 3):
        cause = f"{_quote('channels', info.channels)} is neither 1 for gray nor 3 for RGB"
        raise ModelError(path, cause, _REMEDY)
    return info


def _quote(name: str, value: object) -> str:
    return f"{name} = {textwrap.shorten(repr(value), 40, placeholder='...')}"


def model_folders() -> list[Path]:
    """The folders that hold an index of models, in order of precedence.

    These are the folders in `$KERASDENOISE_MODELS`, `saved_models/` in a checkout, and the
    models installed with the package.
    """
    named = os.environ.get("KERASDENOISE_MODELS", "").split(os.pathsep)
    candidates = [*(Path(name) for name in named if name)]
    candidates += [_PACKAGE.parent / "saved_models", _PACKAGE / "saved_models"]
    # Not Path's, which raises if a folder may not be searched.
    return [folder for folder in candidates if os.path.isfile(folder / INDEX)]  # noqa: PTH113


def list_models() -> list[ModelInfo]:
    """All models with a name, in alphabetical order.

    Raises:
        ModelError: An index or a model's metadata cannot be read.
    """
    return [
        read_info(folder, files) for _, (folder, files) in sorted(_entries(model_folders()).items())
    ]


def model_names() -> list[str]:
    """The names of all models, in alphabetical order.

    Raises:
        ModelError: An index cannot be read.
    """
    return sorted(_entries(model_folders()))


def default_model() -> str:
    """The name of the default model.

    It is `$KERASDENOISE_MODEL`, or the default of the first index that names one.

    Raises:
        ModelError: No index names a default.
    """
    if name := os.environ.get("KERASDENOISE_MODEL"):
        return name
    for folder in model_folders():
        if name := read_object(folder / INDEX, ModelError).get("default"):
            return str(name)
    raise ModelError(
        "default model",
        "no saved models were found",
        "set KERASDENOISE_MODELS to the folder that holds their index.json",
    )


def find_model(name_or_path: str | os.PathLike[str]) -> ModelInfo:
    """Finds a model by its name or folder, or on the Hugging Face Hub.

    `hf://OWNER/NAME`, or `hf://OWNER/NAME@REVISION`, is downloaded into the Hub's cache first. A
    name takes precedence over a folder of the same name; `./name` is always the folder. The
    folder of a model in an index has the index's records, as long as all its files match them.

    Raises:
        ModelError: The model does not exist, or its metadata cannot be read.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise ModelError(
            f"a {type(name_or_path).__name__}",
            "is not the name or folder of a saved model",
            "give a name, a folder, a Keras network or its .keras file",
        )
    asked = os.fspath(name_or_path)
    if asked.startswith(_HUB):
        return read_info(_download(asked))
    entries = _entries(model_folders())
    if isinstance(name_or_path, str) and asked in entries:
        return read_info(*entries[asked])
    path = Path(asked)
    if (path / METADATA).is_file():
        return _read_folder(path, entries)
    if path.is_file():
        raise ModelError(asked, "is a file, not a model folder", f"give {path.parent} instead")
    if path.is_dir():
        raise ModelError(asked, f"is not a model folder: it has no {METADATA}", "check the path")
    alike = difflib.get_close_matches(asked, entries, n=1)
    known = ", ".join(sorted(entries)) or "none; set KERASDENOISE_MODELS to their folder"
    remedy = f"did you mean {alike[0]}?" if alike else f"known models: {known}"
    if asked in entries:
        remedy = "a Path must be a model folder; give a name as a str"
    raise ModelError(f"model {asked}", "unknown", remedy)


def _download(address: str) -> Path:
    """Downloads a model's folder, but for the files that no command of this package reads."""
    repository, _, revision = address.removeprefix(_HUB).partition("@")
    try:
        hub = importlib.import_module("huggingface_hub")
    except ModuleNotFoundError as error:
        remedy = 'run pip install "kerasdenoise[hub]"'
        raise ModelError(
            address, "needs huggingface_hub, which is not installed", remedy
        ) from error
    try:
        folder = hub.snapshot_download(
            repository, revision=revision or None, ignore_patterns=["saved_model/*", "*.raw"]
        )
    except (OSError, ValueError) as error:
        cause = f"cannot be downloaded ({describe_unexpected(error)})"
        raise ModelError(address, cause, "check the name and the connection") from error
    return Path(folder)


def _read_folder(path: Path, entries: Mapping[str, Entry]) -> ModelInfo:
    """Reads a model by its path, with the records of its files if an index has true ones."""
    for folder, files in entries.values():
        if folder.resolve() == path.resolve():
            recorded = read_info(path, files)
            with contextlib.suppress(ModelError):  # changed since: unknown like any other
                verify_model(recorded)
                return recorded
    return read_info(path)


def _entries(folders: list[Path]) -> dict[str, Entry]:
    """Each known name's folder and recorded files."""
    entries: dict[str, Entry] = {}
    for folder in folders:
        for name, files in _read_index(folder / INDEX):
            entries.setdefault(name, (folder / name, files))
    return entries


def _read_index(path: Path) -> Iterator[tuple[str, dict[str, FileRecord]]]:
    models: dict[str, Any] = read_object(path, ModelError).get("models", {})
    try:
        for name, entry in models.items():
            if fault := fault_of_name(name):
                raise ModelError(path, f"the name {name!r} {fault}", "restore the file")
            files = {
                relative: FileRecord(record["sha256"], record["bytes"])
                for relative, record in entry["files"].items()
            }
            if any(Path(each).is_absolute() or ".." in Path(each).parts for each in files):
                raise ModelError(
                    path, f"lists files of {name} outside its folder", "restore the file"
                )
            yield name, files
    except (AttributeError, KeyError, TypeError) as error:
        raise ModelError(path, "is not an index of models", "restore the file") from error


def verify_model(info: ModelInfo, only: Collection[str] | None = None) -> None:
    """Checks that a model's files exist and match their records.

    Args:
        info: The model. Without records, only the presence of files is checked.
        only: The files to check, as paths in the model's folder; by default the required files
            and all existing recorded ones.

    Raises:
        ModelError: A file is missing, or differs from its record.
    """
    recorded = info.files or {}
    run = [path.name for path in info.run_paths]
    for relative in (*REQUIRED, *run) if only is None else only:
        if not (info.folder / relative).is_file():
            remedy = "export or install the model again"
            if relative in recorded and relative not in run:
                remedy = (
                    "it is not installed with the package: get the model's folder from the source "
                    "archive, and set KERASDENOISE_MODELS to its parent"
                )
            raise ModelError(
                info.folder / relative, f"is missing from the model {info.name}", remedy
            )
        if info.files is not None and relative not in recorded:
            raise ModelError(
                info.folder / relative, "is not recorded in index.json", "export the model again"
            )
    for relative in recorded if only is None else set(only) & set(recorded):
        path = info.folder / relative
        if path.is_file():
            _verify_file(path, recorded[relative])


def _verify_file(path: Path, record: FileRecord) -> None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(path, f"cannot be read ({error.strerror})", "check the file") from error
    if digest != record.sha256:
        size = path.stat().st_size
        differs = "its SHA-256 differs"
        if size != record.size:
            differs = f"{size} bytes instead of {record.size}"
        raise ModelError(
            path,
            f"differs from the file recorded in index.json ({differs})",
            "restore it, or export the model again",
        )
