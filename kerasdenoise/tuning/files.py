"""Small files that a kill at any moment leaves either as they were or as they will be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from kerasdenoise.errors import InputError


def write_whole(file: Path, text: str) -> None:
    """Writes a text file in one move, and the folders on the way to it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Processes that share a study may write the same file at the same time.
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)


def write_json(file: Path, content: Any) -> None:
    """Writes JSON in one move."""
    write_whole(file, json.dumps(content, indent=2) + "\n")


def read_json(file: Path) -> Any:
    """Reads a file that `write_json` wrote.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(file, f"cannot be read ({error})", "restore it, or start anew") from error
