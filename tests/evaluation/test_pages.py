from __future__ import annotations

from pathlib import Path

from kerasdenoise.evaluation.pages import table, wrap, write_section


def test_a_section_is_added_and_replaces_itself_alone(tmp_path: Path):
    page = tmp_path / "reliability.md"
    write_section(page, "first", "one")
    assert page.read_text("utf-8") == (
        "# Reliability\n\n<!-- first -->\none\n<!-- end of first -->\n"
    )
    page.write_text(page.read_text("utf-8") + "\nbelow\n", "utf-8")
    write_section(page, "second", "two")
    write_section(page, "first", "three")
    text = page.read_text("utf-8")
    assert "one" not in text
    assert "three\n<!-- end of first -->\n\nbelow\n\n<!-- second -->\ntwo\n" in text


def test_a_table_stays_as_it_is_where_lines_are_broken():
    rows = table(("name", "words"), [("a", "long " * 30)])
    text = wrap(f"# Title\n\n{'word ' * 40}\n\n{rows}\n")
    assert rows in text
    assert max(len(line) for line in text.splitlines() if line.startswith("word")) <= 100
