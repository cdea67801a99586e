from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

VECTORS = Path(__file__).parents[2] / "apps" / "vectors"


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("make", VECTORS / "make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make.make_vectors()


@pytest.mark.parametrize("name", ["tiles.json", "hidden.json", "mix.json"])
def test_the_vectors_are_what_the_package_gives_today(name: str, made: dict[str, Any]):
    assert read(name) == made[name]


def test_the_vectors_of_tone_are_what_the_package_gives_today(made: dict[str, Any]):
    written = read("tone.json")["tone"]
    assert len(written) == len(made["tone.json"]["tone"])
    for found, expected in zip(written, made["tone.json"]["tone"], strict=True):
        # Other processors compute the exponential a little differently.
        tone = expected.pop("expected")
        np.testing.assert_allclose(found.pop("expected"), tone, rtol=0, atol=0.011)
        assert found == expected
        assert np.abs(np.clip(found["denoised"], 0, 255) - tone).max() > 2, "nothing is taken back"


def test_all_vectors_are_checked(made: dict[str, Any]):
    assert {path.name for path in VECTORS.glob("*.json")} == set(made)


def read(name: str) -> dict[str, Any]:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))
