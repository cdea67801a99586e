"""Pages in Markdown: tables, broken lines, and sections that are written again alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

WIDTH = 100


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Writes a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def wrap(text: str) -> str:
    """Breaks the lines of paragraphs and lists, into which figures were put.

    Headings, tables, pictures and code stay as they are.

    Returns:
        The text, ending with a newline.
    """
    paragraphs = [part.strip("\n") for part in text.split("\n\n")]
    return "\n\n".join(map(_wrap_paragraph, filter(None, paragraphs))) + "\n"


def _wrap_paragraph(text: str) -> str:
    if text.startswith(("#", "|", "!", "```", "    ")):
        return text
    items = ("\n" + text).split("\n- ")
    return "\n".join(
        textwrap.fill(
            ("- " if is_item else "") + " ".join(item.split()),
            WIDTH,
            subsequent_indent="  " if is_item else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for is_item, item in enumerate(items)
        if item.strip()
    )


def write_section(page: Path, name: str, body: str) -> None:
    """Writes a section between its two marks; the rest of the page stays.

    Args:
        page: The page, which is made if it is missing; a section that it lacks is added at its end.
        name: What the marks call the section.
        body: Its text.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = page.read_text("utf-8") if page.is_file() else f"# {page.stem.capitalize()}\n"
    if begin not in text:
        text = f"{text.rstrip()}\n\n{begin}{end}\n"
    before, _, rest = text.partition(begin)
    page.write_text(f"{before}{begin}\n{body.strip()}\n{end}{rest.partition(end)[2]}", "utf-8")
