"""The code on docs/python.md runs and prints what the page says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "python.md"
NUMBER = re.compile(r"\d+\.\d+|\d+(?=/255)")


def test_the_code_on_the_page_prints_what_it_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    shutil.copy(ROOT / "docs/images/sample_noisy.jpg", tmp_path / "photo.jpg")
    shutil.copy(ROOT / "docs/images/sample_clean.png", tmp_path / "clean.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERASDENOISE_MODELS", str(ROOT / "saved_models"))
    monkeypatch.delenv("KERASDENOISE_MODEL", raising=False)
    page = PAGE.read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == page.count("```python") > 5
    names = {}
    for code, expected in blocks:
        exec(compile(code, PAGE.name, "exec"), names)
        printed = capsys.readouterr().out
        assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
        figures = [[float(each) for each in NUMBER.findall(text)] for text in (printed, expected)]
        # Other processors round a little differently.
        assert figures[0] == pytest.approx(figures[1], rel=0.05, abs=0.05)
