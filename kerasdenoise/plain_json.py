"""JSON that every reader takes: numbers that it does not know are null."""

from __future__ import annotations

import json
import math
from typing import Any


def to_json(content: Any, *, indent: int | None = None) -> str:
    """Writes dicts, lists, texts and numbers as JSON.

    Args:
        content: What to write. Floats that are not finite become null, at any depth.
        indent: Spaces for each level, or None for one line.
    """
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
