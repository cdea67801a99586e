"""Turns what users wrote into typed objects, or into an error that says what is wrong and where."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic

from kerasdenoise.errors import RecipeError, UsageError
from kerasdenoise.foreign import address_of
from kerasdenoise.plain_json import check_depth

# Beyond this, numbers of steps and pixels are no numbers that anyone means.
_MOST = 10**9
# So many letters of a value that is wrong are shown.
_SHOWN = 200

Count = Annotated[int, pydantic.Field(ge=1, le=_MOST)]
CountOrZero = Annotated[int, pydantic.Field(ge=0, le=_MOST)]
Positive = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]
PositiveOrZero = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]
BelowOne = Annotated[float, pydantic.Field(ge=0, lt=1)]
Fraction = Annotated[float, pydantic.Field(ge=0, le=1)]

T = TypeVar("T")
Some = Annotated[tuple[T, ...], pydantic.Field(min_length=1)]
"""A list of at least one entry."""

# By pydantic's names of faults: how the kind of value is called that is wanted.
_CALLED = {
    "bool_type": "true or false",
    "dataclass_type": "a table",
    "dict_type": "a table",
    "float_type": "a number",
    "int_type": "a whole number",
    "string_type": "a text",
    "tuple_type": "a list",
}
# What a number must be, by the bound that it violates.
_BOUNDS = {
    "ge": "{:,} or more",
    "gt": "above {:,}",
    "le": "no more than {:,}",
    "lt": "less than {:,}",
}


def read_text(path: Path, example: str) -> str:
    """Reads a text file.

    Args:
        path: The file.
        example: A file of its kind, for the error.

    Raises:
        RecipeError: If it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if address := address_of(path):
            raise RecipeError(
                address, "is an address, not a file", "save the file from there first"
            ) from error
        cause = error.strerror if isinstance(error, OSError) else "it is not text"
        raise RecipeError(path, f"cannot be read ({cause})", f"name a file as {example}") from error


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Reads TOML.

    Raises:
        RecipeError: If it is not TOML.
    """
    try:
        content = tomllib.loads(text)
        check_depth(content)
        return content
    except (ValueError, RecursionError) as error:  # also of numbers of thousands of digits
        raise RecipeError(name, f"is not TOML ({error})", "fix that line") from error


def make(
    kind: type[T],
    values: object,
    where: str,
    error: type[UsageError] = RecipeError,
    example: str = "recipes/photo.toml",
) -> T:
    """Makes a typed object of what TOML or JSON says.

    Nothing is guessed: texts and `true` are not numbers, and unknown entries are rejected. Lists
    become tuples, and whole numbers count as numbers.

    Args:
        kind: A dataclass. Its annotations say what its entries may be.
        values: The table.
        where: What errors call it.
        error: Their kind. An error of another kind that a validator of `kind` raises becomes one
            of this kind, which says where.
        example: A file that has such a table, for errors.

    Raises:
        UsageError: Of the kind given, if the table is none, or has a missing, unknown or unusable
            entry.
    """
    if not isinstance(values, dict):
        raise error(where, "is not a table", f"see {example}")
    try:
        with placed(where, error):
            # As JSON: of Python's objects, pydantic takes no table for a dataclass if strict.
            return _adapter(kind).validate_json(
                json.dumps(values, default=_refuse), strict=True, extra="forbid", context=where
            )
    except pydantic.ValidationError as refused:
        # What is missing may only be misspelled.
        faults = sorted(refused.errors(), key=lambda fault: not _is_unknown(fault))
        raise error(*_describe(dict(faults[0]), kind, values, where, example)) from None


@contextlib.contextmanager
def placed(where: str, error: type[UsageError] = RecipeError) -> Iterator[None]:
    """Has other errors say where the text is; see `make`."""
    try:
        yield
    except error:
        raise
    except UsageError as other:
        raise error(f"{where} {other.subject}", other.cause, other.remedy) from other


@functools.cache
def _adapter(kind: type[T]) -> pydantic.TypeAdapter[T]:
    return pydantic.TypeAdapter(kind)


def _refuse(value: object) -> None:
    raise UsageError(str(value), "is a date or time, which no entry is", "put it in quotes")


def _is_unknown(fault: Any) -> bool:
    return fault["type"] == "unexpected_keyword_argument"


def _describe(
    fault: dict[str, Any], kind: Any, values: object, where: str, example: str
) -> tuple[str, str, str]:
    """Says of a fault what was given, what is wrong, and what to do."""
    names, value = [], values
    for part in fault["loc"]:
        if isinstance(value, dict):
            names.append(part)
            value = value.get(part)
        elif isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
            value = value[part]
    entry = f"{where} {'.'.join(names)}"
    shown = textwrap.shorten(repr(value), _SHOWN, placeholder="...")
    given, type_, context = f"{entry} = {shown}", fault["type"], fault.get("ctx", {})
    if type_ in _CALLED:
        return given, f"is not {_CALLED[type_]}", "give one"
    if _is_unknown(fault):
        known = ", ".join(field.name for field in dataclasses.fields(kind))
        return entry, "is unknown", f"known: {known}"
    if type_ == "missing" and isinstance(fault["loc"][-1], str):
        return entry, "is missing", f"see {example}"
    if type_ == "too_short" and context.get("min_length") == 1:
        return entry, "is empty", "give at least one"
    if type_ == "literal_error":
        return given, "is unknown", f"known: {context['expected']}"
    for bound in context.keys() & _BOUNDS.keys():
        remedy = _BOUNDS[bound].format(context[bound]).removesuffix(".0")
        return given, "is out of range", f"give {remedy}"
    if type_ == "finite_number":
        return given, "is out of range", "give a finite number"
    return given, f"cannot be used ({fault['msg']})", f"see {example}"
