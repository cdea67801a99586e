"""Search spaces: what is tuned of an architecture, and between which bounds, as TOML files."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasdenoise.errors import RecipeError, UsageError
from kerasdenoise.training.recipe import DataSection, OptimizationSection

_PACKAGE = Path(__file__).resolve().parents[1]
_DEFAULT = "default.toml"

# Sections of a recipe whose entries may be tuned, and what these may be; those of an
# architecture's `Config` are known only when its module is imported.
_SECTIONS: dict[str, Any] = {"optimization": OptimizationSection, "data": DataSection}
CONFIG = "config"


@dataclass(frozen=True)
class Base:
    """What all trials of a study have in common.

    Attributes:
        noise: What is removed.
        measured: The noise that trials are measured with, if it is another.
        dtype: Keras' dtype policy.
        steps: Steps of a trial.
        pixels: Pixels in a step, of patches that are square.
        config: Fields of the architecture's `Config`.
        optimization: Entries of that section of a recipe.
    """

    noise: tuple[str, ...] = ("gaussian:25",)
    measured: tuple[str, ...] = ()
    dtype: str = "float32"
    steps: int = 300
    pixels: int = 32768
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    optimization: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Alternative:
    """Values that an entry may have, always or under a condition.

    Attributes:
        when: Values of other entries, by their names, under which this one has a value at all.
        choices: The values, if they are few.
        low: The smallest value otherwise.
        high: The largest.
        log: Whether all orders of magnitude are alike.
        times: Choices as multiples of the architecture's own default.
    """

    when: dict[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False
    times: tuple[float, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One entry of a recipe that is tuned.

    Attributes:
        section: `optimization`, `data` or `config`.
        name: The entry's name, which no other has.
        alternatives: Its values, by condition.
    """

    section: str
    name: str
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class Space:
    """The search space of an architecture.

    Attributes:
        base: What all trials have in common.
        entries: What they differ in.
        lenient: Whether fields that the architecture does not have are left out, as in a space
            that names no architecture.
        text: The TOML text that this was read from.
    """

    base: Base
    entries: tuple[Entry, ...]
    lenient: bool
    text: str


def space_folders() -> list[Path]:
    """Where search spaces are: in a checkout, or installed with the package."""
    candidates = [_PACKAGE.parent / "tuning", _PACKAGE / "tuning" / "spaces"]
    return [folder for folder in candidates if (folder / _DEFAULT).is_file()]


def find_space(architecture: str) -> Path:
    """Finds the space that names an architecture, or else the default one.

    Raises:
        UsageError: If the package's spaces are not there.
    """
    for folder in space_folders():
        for file in sorted(folder.glob("*.toml")):
            if architecture in _read_toml(file).get("architectures", []):
                return file
        return folder / _DEFAULT
    raise UsageError("search spaces", "are not there", "install the package again")


def read_space(file: Path, architecture: str) -> Space:
    """Reads what a file says of an architecture.

    Raises:
        RecipeError: If it cannot be read, or has an unknown or unusable entry.
    """
    return parse_space(_read_text(file), architecture, str(file))


def parse_space(text: str, architecture: str, name: str = "space") -> Space:
    """Reads a space from TOML text; see `read_space`."""
    content = _parse(text, name)
    _check_known(content, ("architectures", "base", "space"), name)
    base = _make(Base, content.get("base", {}), f"{name} [base]")
    _check_known(base.optimization, _fields(OptimizationSection), f"{name} [base.optimization]")
    named = content.get("architectures", [])
    if named and architecture not in named:
        raise RecipeError(name, f"is no space of {architecture}", f"it is of {', '.join(named)}")
    tables = dict(_table(content.get("space", {}), f"{name} [space]"))
    _check_known(tables, (*_SECTIONS, CONFIG, *named), f"{name} [space]")
    own = {CONFIG: {**tables.get(CONFIG, {}), **tables.get(architecture, {})}}
    entries = [
        _make_entry(section, entry, values, f"{name} [space.{section}] {entry}")
        for section in (*_SECTIONS, CONFIG)
        for entry, values in {**tables, **own}.get(section, {}).items()
    ]
    if not entries:
        raise RecipeError(name, f"has nothing to tune of {architecture}", "add it to [space]")
    _check_conditions(entries, name)
    return Space(base, tuple(entries), not named, text)


def resolve_space(space: Space, config: Any) -> Space:
    """Replaces multiples by values, and checks that an architecture has what is tuned of it.

    Args:
        space: What was read.
        config: The `Config` that trials start from.

    Raises:
        RecipeError: If a field is unknown.
    """
    known = [field.name for field in dataclasses.fields(config)]
    entries = []
    for entry in space.entries:
        if entry.section == CONFIG and entry.name not in known:
            if space.lenient:
                continue
            raise RecipeError(
                f"[space.config] {entry.name}", "is unknown", f"known: {', '.join(known)}"
            )
        alternatives = tuple(
            _resolve(each, getattr(config, entry.name, None)) for each in entry.alternatives
        )
        entries.append(dataclasses.replace(entry, alternatives=alternatives))
    return dataclasses.replace(space, entries=tuple(entries))


def _resolve(alternative: Alternative, default: Any) -> Alternative:
    if not alternative.times:
        return alternative
    scaled = [_scale(default, factor) for factor in alternative.times]
    return dataclasses.replace(alternative, choices=tuple(dict.fromkeys(scaled)), times=())


def _scale(default: Any, factor: float) -> Any:
    if isinstance(default, tuple):
        return tuple(_scale(each, factor) for each in default)
    return max(1, round(default * factor)) if isinstance(default, int) else default * factor


def _make_entry(section: str, name: str, values: Any, where: str) -> Entry:
    if section in _SECTIONS:
        _check_known([name], _fields(_SECTIONS[section]), where)
    several = isinstance(values, list) and values and all(isinstance(v, dict) for v in values)
    rows = values if several else [values if isinstance(values, dict) else {"choices": values}]
    return Entry(section, name, tuple(_make_alternative(row, where) for row in rows))


def _make_alternative(row: dict[str, Any], where: str) -> Alternative:
    when = {name: tuple(values) for name, values in row.get("when", {}).items()}
    made = _make(Alternative, {**row, "when": when}, where)
    choices = tuple(tuple(v) if isinstance(v, list) else v for v in made.choices)
    made = dataclasses.replace(made, choices=choices)
    ranged = made.low is not None and made.high is not None
    if sum((bool(made.choices), bool(made.times), ranged)) != 1:
        raise RecipeError(where, "has no values", "give a list, times, or low and high")
    if made.low is not None and made.high is not None:
        least = 0.0 if made.log else -math.inf
        if not least < made.low < made.high:
            raise RecipeError(where, "has no range", "give low below high, above 0 if log = true")
    return made


def _check_conditions(entries: list[Entry], name: str) -> None:
    """Refuses conditions on what is not tuned before, and two entries of one name."""
    before: dict[str, Entry] = {}
    for entry in entries:
        for alternative in entry.alternatives:
            for parent, values in alternative.when.items():
                known = before[parent].alternatives if parent in before else ()
                if len(known) != 1 or not set(values) <= set(known[0].choices):
                    raise RecipeError(
                        f"{name} {entry.name} when {parent} = {json.dumps(values)}",
                        "is no choice of an entry before it",
                        "write that one first, as a list",
                    )
        if entry.name in before:
            raise RecipeError(f"{name} {entry.name}", "is tuned twice", "leave one out")
        before[entry.name] = entry


def _make(kind: Any, values: Any, where: str) -> Any:
    values = _table(values, where)
    _check_known(values, _fields(kind), where)
    for field in dataclasses.fields(kind):
        asked = values.get(field.name)
        if asked is None:
            continue
        expected = {"tuple": list, "int": int, "str": str, "bool": bool, "dict": dict}.get(
            str(field.type).partition("[")[0], int | float
        )
        if not isinstance(asked, expected) or (expected is int and asked < 1):
            raise RecipeError(f"{where} {field.name} = {asked!r}", "cannot be used", "see tuning/")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _check_known(given: Any, known: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise RecipeError(f"{where} {unknown[0]}", "is unknown", f"known: {', '.join(known)}")


def _table(values: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(values, dict):
        raise RecipeError(where, "is not a table", "see tuning/lambda_net.toml")
    return values


def _read_toml(file: Path) -> dict[str, Any]:
    return _parse(_read_text(file), str(file))


def _read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(file, f"cannot be read ({error})", "name a file as in tuning/") from error


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(name, f"is not TOML ({error})", "mend that line") from error
