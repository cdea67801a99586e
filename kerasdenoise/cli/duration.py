"""Times as people write them."""

from __future__ import annotations

import re
from typing import Any

import click

_UNITS = {"h": 3600, "m": 60, "s": 1}
_TEXT = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


class DurationType(click.ParamType):
    """A time, such as `2h`, `90m` or `1h30m`, in seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Reads the option's text."""
        if isinstance(value, float):
            return value
        found = _TEXT.fullmatch(str(value).strip().lower())
        parts = found.groups() if found else ()
        seconds = sum(
            float(part) * unit for part, unit in zip(parts, _UNITS.values(), strict=False) if part
        )
        if seconds <= 0:
            self.fail(f"{value!r} is no time, such as 2h, 90m or 1h30m", param, ctx)
        return seconds
