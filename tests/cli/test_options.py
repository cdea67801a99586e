from __future__ import annotations

import click
import pytest

from kerasdenoise.cli.options import BYTES, CODING, POINT, SIGMA, TILE


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (TILE, "auto", "auto"),
        (TILE, "256", 256),
        (SIGMA, "auto", None),
        (SIGMA, "12.5", 12.5),
        (BYTES, "300M", 300_000_000),
        (BYTES, "1.5gb", 1_500_000_000),
        (BYTES, "4096", 4096),
        (CODING, "keep", "keep"),
        (CODING, "90", 90),
        (POINT, "middle", "middle"),
        (POINT, "10,20", (10, 20)),
    ],
)
def test_what_a_text_stands_for(kind: click.ParamType, text: str, value: object):
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (TILE, "big", "neither auto nor a number of pixels"),
        (SIGMA, "much", "neither auto nor a number"),
        *((CODING, text, "neither keep nor a number") for text in ("0", "101", "9.5")),
        *((BYTES, text, "not an amount of memory") for text in ("", "G", "-1G", "nan", "1T")),
        *(
            (POINT, text, "put the photo before --preview")
            for text in ("photo.jpg", "1", "1,2,3", "a,b")
        ),
    ],
)
def test_what_is_said_of_others(kind: click.ParamType, text: str, message: str):
    with pytest.raises(click.BadParameter, match=message):
        kind.convert(text, None, None)
