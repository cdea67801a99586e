"""Comparing a model's files with what the index records of them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from kerasdenoise.errors import ModelError
from kerasdenoise.zoo.info import METADATA, FileRecord, ModelInfo

# A wheel carries no training files, so that only these must be there.
REQUIRED = (METADATA, "config.json", "model.tflite")


def verify_model(info: ModelInfo, only: Collection[str] | None = None) -> None:
    """Checks that a model's files are there and are those that were recorded.

    Args:
        info: The model. If nothing is recorded of it, only presence is checked.
        only: The files to check, as paths in the model's folder; by default every recorded
            file that is there, and those that must be.

    Raises:
        ModelError: A file is missing, or is not the file that was recorded.
    """
    recorded = info.files or {}
    run = [path.name for path in info.run_paths]
    for relative in (*REQUIRED, *run) if only is None else only:
        if not (info.folder / relative).is_file():
            raise ModelError(
                info.folder / relative,
                f"missing from the model {info.name}",
                "export or install the model again",
            )
        if info.files is not None and relative not in recorded:
            raise ModelError(
                info.folder / relative, "not recorded in index.json", "export the model again"
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
            f"not the file that was recorded in index.json ({differs})",
            "restore it, or export the model again",
        )
