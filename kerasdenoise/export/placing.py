"""Putting finished files where they belong: all of them, or none."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasdenoise.errors import OutputError
from kerasdenoise.zoo.find import INDEX
from kerasdenoise.zoo.info import read_json


@contextlib.contextmanager
def workplace(target: Path) -> Iterator[Path]:
    """Makes a folder beside a target for as long as files are made; it always goes away.

    Args:
        target: What they will be called. Folders above it are made.

    Raises:
        OutputError: Nothing can be written there.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise OutputError(
            target.parent, f"cannot be written to ({error.strerror})", "choose another --output"
        ) from error
    with temporary as folder:
        yield Path(folder)


def replace_folder(folder: Path, target: Path, replaced: Path) -> None:
    """Moves a folder to a target, and what was there out of the way; both or neither."""
    there = target.exists()
    if there:
        target.rename(replaced)
    try:
        folder.rename(target)
    except BaseException:
        if there:
            replaced.rename(target)
        raise


def index_with(target: Path, folder: Path, summary: str) -> dict[str, Any]:
    """Returns the index with a model's files and their checksums entered into it.

    Args:
        target: Where the model is going to be.
        folder: Where its files are now.
        summary: What the model is for.
    """
    path = target.parent / INDEX
    index = read_json(path) if path.exists() else {"default": target.name, "models": {}}
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    index["models"][target.name] = {
        "summary": summary,
        "files": {
            file.relative_to(folder).as_posix(): {
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "bytes": file.stat().st_size,
            }
            for file in files
        },
    }
    return index


def write_index(path: Path, index: dict[str, Any]) -> None:
    """Writes an index in one move."""
    temporary = path.with_name(f".{INDEX}.tmp")
    write_json(temporary, index)
    temporary.replace(path)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON object."""
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
