"""Types of option values, and the errors for invalid ones."""

from __future__ import annotations

from typing import Any, Literal

import click

_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}


class TileType(click.ParamType):
    """The size of a tile in pixels, or `auto`."""

    name = "tile"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | Literal["auto"]:
        """Reads the option's text."""
        if value == "auto":
            return "auto"
        try:
            return max(int(value), 0)
        except ValueError:
            self.fail(f"{value!r} is neither auto nor a number of pixels", param, ctx)


class EdgeType(click.ParamType):
    """The height and width of an image in pixels, or `dynamic`."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | Literal["dynamic"]:
        """Reads the option's text."""
        if value == "dynamic":
            return "dynamic"
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is neither dynamic nor a number of pixels", param, ctx)


class SigmaType(click.ParamType):
    """The noise level from 0 to 255, or `auto`, which is None."""

    name = "sigma"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """Reads the option's text."""
        if value == "auto":
            return None
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither auto nor a number", param, ctx)


class BytesType(click.ParamType):
    """An amount of memory, such as `800M` or `1.5G`, in bytes."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Reads the option's text."""
        text = str(value).upper().removesuffix("B")
        unit = _UNITS.get(text[-1:], 1)
        try:
            amount = float(text if unit == 1 else text[:-1]) * unit
            if not 1 <= amount < 2**63:  # also catches NaN
                raise ValueError
        except ValueError:
            self.fail(f"{value!r} is not an amount of memory, such as 800M or 1.5G", param, ctx)
        return int(amount)


class CodingType(click.ParamType):
    """The quality of lossy files: 1 to 100, or `keep` for the photo's own."""

    name = "coding"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | Literal["keep"]:
        """Reads the option's text."""
        if value == "keep":
            return "keep"
        try:
            quality = int(value)
            if not 1 <= quality <= 100:
                raise ValueError
        except ValueError:
            self.fail(f"{value!r} is neither keep nor a number from 1 to 100", param, ctx)
        return quality


class PointType(click.ParamType):
    """A point in a photo: `X,Y` in pixels from its upper left corner, or `middle`."""

    name = "point"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int] | Literal["middle"]:
        """Reads the option's text."""
        if value == "middle" or isinstance(value, tuple):
            return value
        try:
            x, y = (int(part) for part in value.split(","))
        except ValueError:
            self.fail(
                f"{value!r} is neither X,Y nor middle; put the photo before --preview", param, ctx
            )
        return x, y


class SizeType(click.ParamType):
    """The size of an image: `WIDTHxHEIGHT` in pixels."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Reads the option's text."""
        try:
            width, height = (int(part) for part in str(value).split("x"))
            if min(width, height) < 1:
                raise ValueError
        except ValueError:
            self.fail(f"{value!r} is not a size in pixels, such as 4000x3000", param, ctx)
        return width, height
