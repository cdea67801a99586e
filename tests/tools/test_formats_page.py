from __future__ import annotations

import runpy
from dataclasses import fields
from pathlib import Path
from typing import Any

from kerasdenoise.images.formats import FORMATS
from kerasdenoise.images.image import Metadata

ROOT = Path(__file__).parents[2]
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "formats_page.py"))


def test_the_page_says_what_the_code_says():
    page = (ROOT / "docs" / "formats.md").read_text("utf-8")
    tables = page.partition("<!-- tables -->\n")[2].partition("\n<!-- end of tables -->")[0]
    assert tables == TOOL["make_tables"]()


def test_every_format_has_a_row_in_both_tables():
    tables = TOOL["make_tables"]()
    for row in FORMATS.values():
        assert tables.count(f"\n| {row.title} ") == 2


def test_every_kind_of_metadata_has_a_column():
    assert set(TOOL["HEADINGS"]) == {field.name for field in fields(Metadata)}


def test_the_readme_names_every_format():
    readme = (ROOT / "README.md").read_text("utf-8")
    for row in FORMATS.values():
        assert row.title in readme
