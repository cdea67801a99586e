from __future__ import annotations

import importlib.util
import json
from pathlib import Path

VECTORS = Path(__file__).parents[2] / "apps" / "vectors"


def test_the_vectors_are_what_the_package_gives_today():
    spec = importlib.util.spec_from_file_location("make", VECTORS / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    for name, content in (("tiles", make.make_vectors()), ("mix", make.make_mixtures())):
        assert json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8")) == content
