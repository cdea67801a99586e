"""What was measured before: one line of JSON for each denoiser, set and kind of noise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from kerasdenoise.files import write_file


class Row(NamedTuple):
    """What is measured: a denoiser on a set with one kind of noise."""

    method: str
    images: str
    noise: str

    def __str__(self) -> str:
        return " | ".join(self)


class Cache:
    """Figures in a file, which is read and written anew with each figure.

    So a kill loses one, and what another process measures meanwhile is kept. A row is kept together
    with a text that says what determines it; a row of another text is as good as none, and is
    replaced.

    Args:
        file: The file; it need not be there.
        forget: Whether to begin with nothing.
    """

    def __init__(self, file: Path, *, forget: bool = False) -> None:
        self._file = file
        if forget:
            file.unlink(missing_ok=True)

    def get(self, row: Row, origin: str) -> dict[str, Any]:
        """Returns the figures of a row by the images' names; none if it is of another origin."""
        return _figures(self._read(), row, origin)

    def put(self, row: Row, origin: str, name: str, figures: Any) -> None:
        """Adds the figures of one image, and writes the file."""
        rows = self._read()
        rows[str(row)] = {
            "origin": origin,
            "figures": {**_figures(rows, row, origin), name: figures},
        }
        lines = [f"{json.dumps(key)}: {json.dumps(rows[key])}" for key in sorted(rows)]
        write_file(self._file, "{\n" + ",\n".join(lines) + "\n}\n")

    def _read(self) -> dict[str, dict[str, Any]]:
        return json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}


def _figures(rows: dict[str, dict[str, Any]], row: Row, origin: str) -> dict[str, Any]:
    kept = rows.get(str(row), {})
    return kept["figures"] if kept.get("origin") == origin else {}
