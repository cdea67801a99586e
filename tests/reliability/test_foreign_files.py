from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.reliability import foreign_files


def test_files_are_tried_written_refused_or_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    for name in ("a.png", "b.jpg", "c.tif", "d.bmp"):
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "e.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    (tmp_path / "f.txt").write_text("no picture")
    rows = {path.name: foreign_files.judge(path) for path in sorted(tmp_path.iterdir())}
    assert [row["outcome"] for row in rows.values()] == ["written"] * 4 + ["rejected"] * 2
    table = foreign_files.describe(rows)
    assert "| PNG | 1 | 1 | 0 | 0 | 0 | 0 |" in table
    assert "| .png | 1 | 0 | 1 | 0 | 0 | 0 |" in table
    assert "| 1 | is truncated |" in table

    # One that is read wrong is found by another decoder.
    read = foreign_files.read_image

    def wrong(path: Path, **options: Any):
        image = read(path, **options)
        return image.with_pixels(1 - image.pixels)

    monkeypatch.setattr(foreign_files, "read_image", wrong)
    assert foreign_files.judge(tmp_path / "a.png")["outcome"] == "wrong"
