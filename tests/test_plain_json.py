from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from kerasdenoise.errors import InputError, ModelError
from kerasdenoise.plain_json import read_json, read_object, to_json, write_json


def test_numbers_that_json_does_not_know_are_null():
    assert to_json({"a": [math.nan, (1.5, -math.inf)], "b": "ä"}) == (
        '{"a": [null, [1.5, null]], "b": "\\u00e4"}'
    )


def test_files_come_back_as_they_were(tmp_path: Path):
    file = tmp_path / "deep" / "a.json"
    write_json(file, {"a": [1, None], "b": "ä"})
    assert read_json(file) == read_object(file) == {"a": [1, None], "b": "ä"}
    assert file.read_text("utf-8").endswith("\n}\n")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{", "is not valid JSON"),
        ("[" * 10**6, "is not valid JSON"),
        ("\udcff", "is not valid JSON"),
        ("[1]", "is not a JSON object"),
        (None, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_the_kind_that_was_asked_for(
    tmp_path: Path, text: str | None, cause: str
):
    file = tmp_path / "a.json"
    if text is not None:
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=rf"a\.json: {cause}"):
        read_object(file, ModelError)
    if text != "[1]":
        with pytest.raises(InputError, match=cause):
            read_json(file)
    else:
        assert read_json(file) == json.loads(text)
