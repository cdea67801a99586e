"""Where tests prepare data sets of TensorFlow Datasets."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of prepared data sets, in place of the user's own."""
    folder = tmp_path / "prepared"
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    return folder
