"""JSON that every reader takes: numbers that it does not know are null."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

from kerasdenoise.errors import InputError, KerasDenoiseError
from kerasdenoise.files import write_file

# Nothing that people write is nested so often, and Python cannot write what is much deeper.
_DEEPEST = 100


def to_json(content: Any, *, indent: int | None = None) -> str:
    """Writes dicts, lists, texts and numbers as JSON.

    Args:
        content: What to write. Floats that are not finite become null, at any depth.
        indent: Spaces for each level, or None for one line.
    """
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def write_json(file: Path, content: Any) -> None:
    """Writes a JSON file for people as well, in one move; see `files.write_file`.

    Raises:
        OutputError: The file cannot be written.
    """
    write_file(file, to_json(content, indent=2) + "\n")


def read_json(file: Path, error: type[KerasDenoiseError] = InputError) -> Any:
    """Reads a JSON file.

    Args:
        file: The file.
        error: What is raised if that fails.
    """
    try:
        content = json.loads(file.read_text("utf-8"))
        check_depth(content)
        return content
    except OSError as cause:
        raise error(file, f"cannot be read ({cause.strerror})", "check the path") from cause
    except (ValueError, RecursionError) as cause:
        raise error(file, f"is not valid JSON ({cause})", "restore the file") from cause


def read_object(file: Path, error: type[KerasDenoiseError] = InputError) -> dict[str, Any]:
    """Reads a JSON file that holds an object, or raises `error`; see `read_json`."""
    content = read_json(file, error)
    if not isinstance(content, dict):
        raise error(file, "is not a JSON object", "restore the file")
    return content


def check_depth(value: Any) -> None:
    """Refuses what is nested more often than anything that people write.

    Raises:
        ValueError: It is.
    """
    values = [value]
    for _ in range(_DEEPEST + 1):
        values = [each for each in values if isinstance(each, dict | list)]
        inner = (each.values() if isinstance(each, dict) else each for each in values)
        values = [*itertools.chain.from_iterable(inner)]
        if not values:
            return
    raise ValueError(f"nested more than {_DEEPEST} times")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
