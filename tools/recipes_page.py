"""Writes the tables of docs/recipes.md from the classes that recipes are read into.

PYTHONPATH=. python tools/recipes_page.py
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

from kerasdenoise.noise import Noise
from kerasdenoise.runtime import prepare_keras

prepare_keras()

from kerasdenoise.training.optimization import (  # noqa: E402
    OPTIMIZERS,
    SCHEDULES,
    OptimizationSection,
)
from kerasdenoise.training.recipe import (  # noqa: E402
    BenchmarkSection,
    DataSection,
    DiscriminatorSection,
    ModelSection,
    NoiseSection,
    Recipe,
    ValidationSection,
)

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"

# The sections, which have tables of their own, and what only programs read.
_SECTIONS = {
    "model": ("[model]", ModelSection),
    "data": ("[data]", DataSection),
    "noise": ("[[noise]]", NoiseSection),
    "optimization": ("[optimization]", OptimizationSection),
    "discriminator": ("[discriminator]", DiscriminatorSection),
    "validation": ("[validation]", ValidationSection),
    "benchmark": ("[[benchmark]]", BenchmarkSection),
}
_HIDDEN = {*_SECTIONS, "source"}


def make_tables() -> str:
    """Returns a table of each section's entries, as Markdown."""
    parts = [("At the top", _rows(Recipe, _HIDDEN))]
    parts += [(f"`{title}`", _rows(section)) for title, section in _SECTIONS.values()]
    for entry, kinds in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        for name, settings in kinds.items():
            if rows := _rows(settings):
                parts.append((f'`[optimization]` with `{entry} = "{name}"`', rows))
    return "\n\n".join(_table(title, rows) for title, rows in parts)


def _table(title: str, rows: list[str]) -> str:
    return "\n".join([f"## {title}", "", "| entry | default | |", "|---|---|---|", *rows])


def _rows(section: Any, hidden: set[str] | frozenset[str] = frozenset()) -> list[str]:
    meanings = _read_attributes(inspect.getdoc(section) or "")
    return [
        f"| `{field.name}` | {_default(field)} | {meanings[field.name]} |"
        for field in dataclasses.fields(section)
        if field.name not in hidden
    ]


def _read_attributes(doc: str) -> dict[str, str]:
    """What a docstring says of each attribute, without what it says for programs."""
    text = doc.partition("Attributes:\n")[2]
    entries = re.split(r"\n?    (?=\w+: )", f"\n{text}")[1:]
    said = {}
    for entry in entries:
        name, _, meaning = entry.partition(": ")
        meaning = " ".join(meaning.split()).split("; see `")[0].rstrip(".")
        said[name] = meaning.replace("|", "\\|")
    return said


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        value: Any = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "required"
    if dataclasses.is_dataclass(value):
        names = {kind: name for name, kind in {**OPTIMIZERS, **SCHEDULES}.items()}
        return f'`"{names[type(value)]}"`'
    return f"`{_write(value)}`"


def _write(value: Any) -> str:
    if isinstance(value, Noise):
        return f'"{value.text}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_write, value))}]"
    return str(value)


def main() -> None:
    """Writes the page anew."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{make_tables()}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
