from __future__ import annotations

import importlib.util
import json
from pathlib import Path

VECTORS = Path(__file__).parents[2] / "apps" / "vectors"


def test_the_vectors_are_what_the_tiling_gives_today():
    spec = importlib.util.spec_from_file_location("make", VECTORS / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert json.loads((VECTORS / "tiles.json").read_text(encoding="utf-8")) == make.make_vectors()
