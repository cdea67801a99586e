"""Pages of which each experiment writes its own section, between two marks."""

from __future__ import annotations

from pathlib import Path


def write_section(page: Path, name: str, body: str) -> None:
    """Writes a section; what else is on the page stays.

    Args:
        page: The page, which is made if there is none.
        name: What its marks call it.
        body: Its text.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = page.read_text("utf-8") if page.is_file() else f"# Reliability\n\n{begin}{end}\n"
    if begin not in text:
        text = f"{text.rstrip()}\n\n{begin}{end}\n"
    before, _, rest = text.partition(begin)
    page.write_text(f"{before}{begin}\n{body}\n{end}{rest.partition(end)[2]}", "utf-8")
