"""TOML as recipes have it, written from what was read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def to_toml(content: Mapping[str, Any]) -> str:
    """Writes a table of plain values, of tables, and of lists of tables.

    Args:
        content: What `tomllib` would make of the text; tuples stand for lists.

    Returns:
        The text. Tables inside of tables are written in one line.
    """
    plain, tables = [], []
    for key, value in content.items():
        if isinstance(value, Mapping):
            tables.append(f"\n[{key}]\n{_entries(value)}")
        elif _is_rows(value):
            tables += [f"\n[[{key}]]\n{_entries(row)}" for row in value]
        else:
            plain.append(f"{key} = {_value(value)}\n")
    return "".join(plain + tables)


def _entries(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _is_rows(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(row, Mapping) for row in value)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {_value(each)}" for key, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for the halves of a pair of surrogates, which it has not.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
