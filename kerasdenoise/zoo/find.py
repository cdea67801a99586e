"""Finding saved models by name or by path."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasdenoise.errors import ModelError
from kerasdenoise.foreign import fault_of_name
from kerasdenoise.plain_json import read_object
from kerasdenoise.zoo.info import METADATA, FileRecord, ModelInfo, read_info

INDEX = "index.json"

_PACKAGE = Path(__file__).resolve().parents[1]


def model_folders() -> list[Path]:
    """The folders that hold an index of models, in order of precedence.

    These are the folders in `$KERASDENOISE_MODELS`, `saved_models/` in a checkout, and the
    models installed with the package.
    """
    named = os.environ.get("KERASDENOISE_MODELS", "").split(os.pathsep)
    candidates = [*(Path(name) for name in named if name)]
    candidates += [_PACKAGE.parent / "saved_models", _PACKAGE / "saved_models"]
    return [folder for folder in candidates if (folder / INDEX).is_file()]


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
    """Finds a model by its name or folder.

    A name takes precedence over a folder of the same name; `./name` is always the folder.

    Raises:
        ModelError: The model does not exist, or its metadata cannot be read.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise ModelError(
            f"a {type(name_or_path).__name__}",
            "is not the name or folder of a saved model",
            "save a Keras network with kerasdenoise.save_model, and give that folder",
        )
    asked = os.fspath(name_or_path)
    entries = _entries(model_folders())
    if isinstance(name_or_path, str) and asked in entries:
        return read_info(*entries[asked])
    path = Path(asked)
    if (path / METADATA).is_file():
        return read_info(path)
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


def _entries(folders: list[Path]) -> dict[str, tuple[Path, dict[str, FileRecord]]]:
    """Each known name's folder and recorded files."""
    entries: dict[str, tuple[Path, dict[str, FileRecord]]] = {}
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
