"""Compares a model's files with their records in the index."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from kerasdenoise.errors import ModelError
from kerasdenoise.zoo.info import METADATA, FileRecord, ModelInfo

# A wheel omits the training files, so only these are required.
REQUIRED = (METADATA, "config.json", "model.tflite")


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
            raise ModelError(
                info.folder / relative,
                f"is missing from the model {info.name}",
                "export or install the model again",
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
