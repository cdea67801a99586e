from __future__ import annotations

import datetime
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAY = datetime.date(2026, 1, 2)


@pytest.fixture
def tool() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / "pages.py"))


def test_every_page_exists_and_its_command_too(tool: dict[str, Any]):
    shown = (ROOT / "docs" / "measured.md").read_text("utf-8")
    for name, (models, words) in tool["PAGES"].items():
        assert (ROOT / "docs" / name).is_file()
        assert (ROOT / words[0]).is_file()
        assert f"({name})" in shown
        assert all(tool["find_hash"](model) for model in models)


def test_a_stamp_says_when_weights_have_changed(tool: dict[str, Any], tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\nA figure.\n")
    models = ("photo", "photo_tiny")
    assert tool["find_state"](page, models) == "measured before weights were noted"
    for _ in range(2):  # again, it replaces its stamp
        tool["stamp"](page, models, DAY)
        assert tool["find_state"](page, models) == "current, measured on 2026-01-02"
        assert page.read_text().count("Measured on 2026-01-02") == 1
    assert page.read_text().startswith("# Page\n\nA figure.\n")
    changed = page.read_text().replace(tool["find_hash"]("photo_tiny"), "0" * 12)
    page.write_text(changed)
    state = tool["find_state"](page, models)
    assert state == "measured on 2026-01-02, with other weights of photo_tiny"


def test_a_page_is_stamped_only_if_its_command_ends_well(
    tool: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    names = tool["measure"].__globals__
    monkeypatch.setitem(names, "DOCS", tmp_path)
    monkeypatch.setitem(names, "PAGES", {"a.md": (("photo",), ("-c", "pass"))})
    (tmp_path / "a.md").write_text("# A\n")
    tool["measure"](["a.md"])
    assert "Measured on" in (tmp_path / "a.md").read_text()
    monkeypatch.setitem(names, "PAGES", {"a.md": (("photo",), ("-c", "raise SystemExit(1)"))})
    (tmp_path / "a.md").write_text("# A\n")
    with pytest.raises(subprocess.CalledProcessError):
        tool["measure"](["a.md"])
    assert (tmp_path / "a.md").read_text() == "# A\n"
