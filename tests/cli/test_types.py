from __future__ import annotations

import click
import pytest

from kerasdenoise.cli.types import BytesType, CodingType, PointType, SigmaType, TileType


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (TileType(), "auto", "auto"),
        (TileType(), "256", 256),
        (SigmaType(), "auto", None),
        (SigmaType(), "12.5", 12.5),
        (BytesType(), "300M", 300_000_000),
        (BytesType(), "1.5gb", 1_500_000_000),
        (BytesType(), "4096", 4096),
        (CodingType(), "keep", "keep"),
        (CodingType(), "90", 90),
        (PointType(), "middle", "middle"),
        (PointType(), "10,20", (10, 20)),
    ],
)
def test_what_a_text_stands_for(kind: click.ParamType, text: str, value: object):
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (TileType(), "big", "neither auto nor a number of pixels"),
        (SigmaType(), "much", "neither auto nor a number"),
        *((CodingType(), text, "neither keep nor a number") for text in ("0", "101", "9.5")),
        *((BytesType(), text, "not an amount of memory") for text in ("", "G", "-1G", "nan", "1T")),
        *(
            (PointType(), text, "put the photo before --preview")
            for text in ("photo.jpg", "1", "1,2,3", "a,b")
        ),
    ],
)
def test_what_is_said_of_others(kind: click.ParamType, text: str, message: str):
    with pytest.raises(click.BadParameter, match=message):
        kind.convert(text, None, None)
