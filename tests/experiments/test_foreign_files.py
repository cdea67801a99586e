from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "experiments" / "foreign_files.py"))


def test_files_are_tried_written_refused_or_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    for name in ("a.png", "b.jpg", "c.tif", "d.bmp"):
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "e.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    (tmp_path / "f.txt").write_text("no picture")
    rows = {path.name: TOOL["judge"](path) for path in sorted(tmp_path.iterdir())}
    assert [row["outcome"] for row in rows.values()] == ["written"] * 4 + ["refused"] * 2
    table = TOOL["table"](rows)
    assert "| PNG | 1 | 1 | 0 | 0 | 0 | 0 |" in table
    assert "| .png | 1 | 0 | 1 | 0 | 0 | 0 |" in table
    assert "| 1 | is truncated |" in table

    # One that is read wrong is found by another decoder.
    read = TOOL["read_image"]

    def wrong(path: Path, **options: object):
        image = read(path, **options)
        return image.with_pixels(1 - image.pixels)

    judge = TOOL["judge"]
    monkeypatch.setitem(judge.__globals__, "read_image", wrong)
    assert judge(tmp_path / "a.png")["outcome"] == "wrong"
