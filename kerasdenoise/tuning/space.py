"""Search spaces: what is tuned, as TOML files, as KerasTuner has it, and as recipes have it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner

from kerasdenoise.errors import RecipeError, UsageError
from kerasdenoise.models import Config, make_config
from kerasdenoise.noise import parse_noise
from kerasdenoise.parsing import Count, Some, make, parse_toml, placed, read_text
from kerasdenoise.training.optimization import ENTRIES, UNIONS, entries_of
from kerasdenoise.training.recipe import DataSection, Dtype, NoiseText

_PACKAGE = Path(__file__).resolve().parents[1]
_DEFAULT = "default.toml"

# Sections of a recipe whose entries may be tuned, and what these may be; those of an
# architecture's `Config` are known only when its module is imported.
_SECTIONS = {"optimization": ENTRIES, "data": entries_of(DataSection)}
CONFIG = "config"
_EXAMPLE = "tuning/lambda_net.toml"


@dataclass(frozen=True)
class Base:
    """What all trials of a study have in common.

    Attributes:
        noise: What is removed.
        measured: The noise that trials are measured with, if it is another.
        dtype: Keras' dtype policy.
        steps: Steps of a trial.
        training_steps: Steps of a whole training, by `train ARCH`.
        pixels: Pixels in a step, of patches that are square.
        config: Fields of the architecture's `Config`.
        optimization: Entries of that section of a recipe.
    """

    noise: Some[NoiseText] = (parse_noise("gaussian:25"),)
    measured: tuple[NoiseText, ...] = ()
    dtype: Dtype = "float32"
    steps: Count = 300
    training_steps: Count = 5000
    pixels: Count = 32768
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    optimization: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Alternative:
    """Values that an entry may have, always or under a condition.

    Attributes:
        when: Values of other entries, by their names, under which this one has a value at all.
        choices: The values, if they are few.
        low: The smallest value otherwise.
        high: The largest; both are whole if the value is.
        log: Whether all orders of magnitude are alike.
        times: Choices as multiples of the architecture's own default.
    """

    when: dict[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    choices: tuple[Any, ...] = ()
    low: int | float | None = None
    high: int | float | None = None
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
class _File:
    """A search space's file: a space for each of its architectures, or for all if it names none."""

    architectures: tuple[str, ...] = ()
    base: dict[str, Any] = dataclasses.field(default_factory=dict)
    space: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Space:
    """The search space of an architecture.

    Attributes:
        base: What all trials have in common.
        config: The architecture's `Config` that trials start from.
        entries: What they differ in, by values alone.
        text: The TOML text that this was read from.
    """

    base: Base
    config: Config
    entries: tuple[Entry, ...]
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
            content = parse_toml(read_text(file, _EXAMPLE), str(file))
            if architecture in content.get("architectures", []):
                return file
        return folder / _DEFAULT
    raise UsageError("search spaces", "are not there", "install the package again")


def read_space(file: Path, architecture: str) -> Space:
    """Reads what a file says of an architecture.

    Raises:
        RecipeError: If it cannot be read, or has an unknown or unusable entry.
    """
    return parse_space(read_text(file, _EXAMPLE), architecture, str(file))


def parse_space(text: str, architecture: str, name: str = "space") -> Space:
    """Reads a space from TOML text; see `read_space`."""
    file = make(_File, parse_toml(text, name), name, example=_EXAMPLE)
    named = file.architectures
    if named and architecture not in named:
        raise RecipeError(name, f"is no space of {architecture}", f"it is of {', '.join(named)}")
    base = make(Base, file.base, f"{name} [base]", example=_EXAMPLE)
    _check_known(base.optimization, ENTRIES, f"{name} [base.optimization]")
    with placed(f"{name} [base.config]"):
        config = make_config(architecture, base.config)
    _check_known(file.space, (*_SECTIONS, CONFIG, *named), f"{name} [space]")
    fields = entries_of(config)
    tuned = {**file.space.get(CONFIG, {}), **file.space.get(architecture, {})}
    if not named:  # a space of any architecture names fields that this one may lack
        tuned = {field: values for field, values in tuned.items() if field in fields}
    entries = [
        _make_entry(section, entry, values, config, f"{name} [space.{section}]")
        for section in (*_SECTIONS, CONFIG)
        for entry, values in {**file.space, CONFIG: tuned}.get(section, {}).items()
    ]
    if not entries:
        raise RecipeError(name, f"has nothing to tune for {architecture}", "add it to [space]")
    _check_conditions(entries, name)
    _check_applicable(entries, base, name)
    return Space(base, config, tuple(entries), text)


def _make_entry(section: str, name: str, values: Any, config: Config, where: str) -> Entry:
    _check_known([name], _SECTIONS.get(section) or entries_of(config), where)
    several = isinstance(values, list) and values and all(isinstance(v, dict) for v in values)
    rows = values if several else [values if isinstance(values, dict) else {"choices": values}]
    default = getattr(config, name) if section == CONFIG else None
    where = f"{where} {name}"
    return Entry(section, name, tuple(_make_alternative(row, default, where) for row in rows))


def _make_alternative(row: object, default: Any, where: str) -> Alternative:
    made = make(Alternative, row, where, example=_EXAMPLE)
    bounds = [bound for bound in (made.low, made.high) if bound is not None]
    if sum((bool(made.choices), bool(made.times), len(bounds) == 2)) != 1:
        raise RecipeError(where, "has no values", "give a list, times, or low and high")
    if bounds and not (0.0 if made.log else -math.inf) < bounds[0] < bounds[-1]:
        raise RecipeError(where, "has no range", "give low below high, above 0 if log = true")
    choices = made.choices or dict.fromkeys(_scale(default, factor) for factor in made.times)
    when = {parent: _frozen(list(values)) for parent, values in made.when.items()}
    return dataclasses.replace(made, when=when, choices=_frozen(list(choices)), times=())


def _scale(default: Any, factor: float) -> Any:
    if isinstance(default, tuple):
        return tuple(_scale(each, factor) for each in default)
    return max(1, round(default * factor)) if isinstance(default, int) else default * factor


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


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
                        "is not a choice of an earlier entry",
                        "write that one first, as a list",
                    )
        if entry.name in before:
            raise RecipeError(f"{name} {entry.name}", "is tuned twice", "leave one out")
        before[entry.name] = entry


def _check_applicable(entries: list[Entry], base: Base, name: str) -> None:
    """Refuses what some of the trials' optimizers or schedules do not have."""
    tuned = {entry.name: entry.alternatives for entry in entries}
    for union, (kinds, default) in UNIONS.items():
        fixed = (base.optimization.get(union, default),)
        possible = tuned[union][0].choices if union in tuned else fixed
        _check_known(possible, tuple(kinds), f"{name} {union} =")
        own = {entry for kind in kinds.values() for entry in entries_of(kind)}
        for entry in own & base.optimization.keys():
            _check_has(entry, union, possible, f"{name} [base.optimization] {entry}")
        for entry in own & tuned.keys():
            for alternative in tuned[entry]:
                asked = alternative.when.get(union, possible)
                _check_has(entry, union, asked, f"{name} [space.optimization] {entry}")


def _check_has(entry: str, union: str, possible: Iterable[str], where: str) -> None:
    kinds = UNIONS[union][0]
    for each in possible:
        if entry not in entries_of(kinds[each]):
            fitting = [kind for kind in kinds if entry in entries_of(kinds[kind])]
            raise RecipeError(
                where,
                f"does not apply to {union} {each!r}",
                f"tune it in [space.optimization], when = {{ {union} = {json.dumps(fitting)} }}",
            )


def _check_known(given: Iterable[str], known: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise RecipeError(f"{where} {unknown[0]}", "is unknown", f"known: {', '.join(known)}")


def to_hyperparameters(space: Space) -> keras_tuner.HyperParameters:
    """Declares the entries of a space.

    Numbers to choose from are declared by their positions: KerasTuner sends numbers between
    processes in single precision, in which they would no longer be those in its list. Each
    alternative has a name of its own, as of two with one KerasTuner would forget the value.
    """
    hyperparameters = keras_tuner.HyperParameters()
    for entry in space.entries:
        for number, alternative in enumerate(entry.alternatives):
            with contextlib.ExitStack() as scopes:
                for parent, values in alternative.when.items():
                    name, encoded = _find_parent(space, parent, values)
                    scopes.enter_context(hyperparameters.conditional_scope(name, encoded))
                _declare(hyperparameters, f"{entry.name}.{number}", alternative)
    return hyperparameters


def active_values(hyperparameters: keras_tuner.HyperParameters) -> dict[str, Any]:
    """Returns the values whose conditions hold.

    On the way from the chief to a worker, KerasTuner adds those that would be there by default.
    """
    declared = {hp.name for hp in hyperparameters.space}
    return {
        name: value
        for name, value in hyperparameters.values.items()
        if name not in declared or hyperparameters.is_active(name)
    }


def from_hyperparameters(space: Space, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the entries that KerasTuner's values stand for, by section and name."""
    found: dict[str, dict[str, Any]] = {}
    for entry in space.entries:
        for number, alternative in enumerate(entry.alternatives):
            value = values.get(f"{entry.name}.{number}")
            if value is not None:
                found.setdefault(entry.section, {})[entry.name] = _decode(alternative, value)
    return found


def _find_parent(space: Space, parent: str, values: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Returns what KerasTuner knows a parent and its values as."""
    (entry,) = (each for each in space.entries if each.name == parent)
    (alternative,) = entry.alternatives
    return f"{parent}.0", [_encode(alternative, value) for value in values]


def _declare(
    hyperparameters: keras_tuner.HyperParameters, name: str, alternative: Alternative
) -> None:
    low, high = alternative.low, alternative.high
    if low is None or high is None:
        values = [_encode(alternative, value) for value in alternative.choices]
        hyperparameters.Choice(name, values)
    else:
        kind = hyperparameters.Int if _is_whole(alternative) else hyperparameters.Float
        kind(name, low, high, sampling="log" if alternative.log else "linear")


def _is_whole(alternative: Alternative) -> bool:
    return isinstance(alternative.low, int) and isinstance(alternative.high, int)


def _is_ordered(alternative: Alternative) -> bool:
    return all(type(value) in (int, float) for value in alternative.choices)


def _encode(alternative: Alternative, value: Any) -> int | str:
    if _is_ordered(alternative):
        return alternative.choices.index(value)
    return json.dumps(value)


def _decode(alternative: Alternative, value: Any) -> Any:
    if alternative.low is not None:
        # Four digits are what a person would write; between processes more of them get lost.
        return int(value) if _is_whole(alternative) else float(f"{value:.4g}")
    if _is_ordered(alternative):
        return alternative.choices[int(value)]
    decoded = json.loads(value)
    return tuple(decoded) if isinstance(decoded, list) else decoded
