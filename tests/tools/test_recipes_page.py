from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "recipes_page.py"))


def test_the_page_is_current():
    page = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    tables = page.partition(TOOL["BEGIN"])[2].partition(TOOL["END"])[0]
    assert tables.strip() == TOOL["make_tables"]()
