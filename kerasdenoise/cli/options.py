"""What commands share: options in sections and of several types, and the packages they need."""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from kerasdenoise.errors import UsageError

_REST = "Other"

# Hours, minutes and seconds as people write them.
_TIME = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}

threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of threads.  [default: all cores]",
)
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Parent of the recipe's data folders.  [default: root in the recipe]",
)

Command = TypeVar("Command", bound=Callable[..., Any])

# The packages of the extra `train` that commands import by name.
_PACKAGES = (
    "keras",
    "keras_tuner",
    "matplotlib",
    "pydantic",
    "tensorflow",
    "tensorflow_datasets",
    "tomli_w",
)


class SectionOption(click.Option):
    """An option in a section of its command's help.

    Args:
        *args: Arguments of `click.Option`.
        section: The section's title.
        **attrs: Arguments of `click.Option`.
    """

    def __init__(self, *args: Any, section: str = _REST, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help lists its options by section; options without one come last.

    Whoever reads it knows --help already.
    """

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the sections."""
        asks = self.get_help_option(ctx)
        params = (each for each in self.get_params(ctx) if each is not asks)
        options = [each for each in params if isinstance(each, click.Option)]
        sections: dict[str, list[tuple[str, str]]] = {}
        for option in sorted(options, key=lambda each: _section_of(each) == _REST):
            record = option.get_help_record(ctx)
            if record is not None:
                sections.setdefault(_section_of(option), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _section_of(option: click.Option) -> str:
    return option.section if isinstance(option, SectionOption) else _REST


def section(title: str) -> Callable[..., Callable[..., Any]]:
    """Returns a `click.option` for a section with this title."""

    def option(*names: str, **attrs: Any) -> Callable[..., Any]:
        return click.option(*names, cls=SectionOption, section=title, **attrs)

    return option


class Parsed(click.ParamType):
    """The type of an option whose text a function reads.

    Args:
        name: What the help calls a value.
        parse: Reads the text; raises a ValueError if it cannot.
        refusal: What errors say of other texts, after them.
    """

    def __init__(self, name: str, parse: Callable[[str], Any], refusal: str) -> None:
        self.name = name
        self._parse = parse
        self._refusal = refusal

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Reads the option's text, or returns its default as it is."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError:
            self.fail(f"{value!r} {self._refusal}", param, ctx)


def _parse_tile(text: str) -> int | Literal["auto"]:
    return "auto" if text == "auto" else max(int(text), 0)


def _parse_edge(text: str) -> int | Literal["dynamic"]:
    return "dynamic" if text == "dynamic" else int(text)


def _parse_sigma(text: str) -> float | None:
    return None if text == "auto" else float(text)


def _parse_bytes(text: str) -> int:
    text = text.upper().removesuffix("B")
    unit = _UNITS.get(text[-1:], 1)
    amount = float(text if unit == 1 else text[:-1]) * unit
    if not 1 <= amount < 2**63:  # also catches NaN
        raise ValueError(text)
    return int(amount)


def _parse_coding(text: str) -> int | Literal["keep"]:
    if text == "keep":
        return "keep"
    quality = int(text)
    if not 1 <= quality <= 100:
        raise ValueError(text)
    return quality


def _parse_point(text: str) -> tuple[int, int] | Literal["middle"]:
    if text == "middle":
        return "middle"
    x, y = map(int, text.split(","))
    return x, y


def _parse_strengths(text: str) -> tuple[float, ...]:
    strengths = tuple(map(float, text.split(",")))
    if not 2 <= len(strengths) <= 6:
        raise ValueError(text)
    return strengths


def _parse_size(text: str) -> tuple[int, int]:
    width, height = map(int, text.split("x"))
    if min(width, height) < 1:
        raise ValueError(text)
    return width, height


def _parse_time(text: str) -> float:
    found = _TIME.fullmatch(text.strip().lower())
    if found is None or not any(found.groups()):
        raise ValueError(text)
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    if not (total := 3600 * hours + 60 * minutes + seconds):
        raise ValueError(text)
    return total


TILE = Parsed("tile", _parse_tile, "is neither auto nor a number of pixels")
EDGE = Parsed("size", _parse_edge, "is neither dynamic nor a number of pixels")
SIGMA = Parsed("sigma", _parse_sigma, "is neither auto nor a number")
BYTES = Parsed("bytes", _parse_bytes, "is not an amount of memory, such as 800M or 1.5G")
CODING = Parsed("coding", _parse_coding, "is neither keep nor a number from 1 to 100")
POINT = Parsed("point", _parse_point, "is neither X,Y nor middle; put the photo before --preview")
STRENGTHS = Parsed("strengths", _parse_strengths, "is not 2 to 6 numbers, such as 0.5,1,1.5")
SIZE = Parsed("size", _parse_size, "is not a size in pixels, such as 4000x3000")
TIME = Parsed("time", _parse_time, "is not a time, such as 2h, 90m or 1h30m")

max_memory_option = click.option(
    "--max-memory",
    type=BYTES,
    metavar="SIZE",
    help="Limit for a tile and a photo.  [default: by free RAM]",
)


def needs_training(command: Command) -> Command:
    """Rejects a command before any work if packages of the extra `train` are missing.

    Raises:
        UsageError: One is missing.
    """

    @functools.wraps(command)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check_training()
        return command(*args, **kwargs)

    return checked  # type: ignore[return-value]


def check_training() -> None:
    """Rejects the current command if packages of the extra `train` are missing.

    Raises:
        UsageError: One is missing.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return
    is_checkout = Path(__file__).parents[2].joinpath("Makefile").is_file()
    remedy = "run make setup" if is_checkout else 'run pip install "kerasdenoise[train]"'
    command = click.get_current_context().command_path
    raise UsageError(command, f"needs missing packages: {', '.join(missing)}", remedy)
