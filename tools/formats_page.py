"""Writes the tables of docs/formats.md from the code's table of formats.

python tools/formats_page.py
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from kerasdenoise.images.formats import FORMATS, Format
from kerasdenoise.images.image import Metadata

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"

HEADINGS = {
    "icc": "color profile",
    "exif": "EXIF, GPS",
    "xmp": "XMP",
    "xmp_extension": "extended XMP",
    "photoshop": "IPTC",
    "comments": "comments",
    "color": "color chunks",
    "texts": "text chunks",
    "segments": "maker segments",
    "density": "pixel aspect",
    "dpi": "dpi",
}


def make_tables() -> str:
    """Returns both tables: pixels, and metadata, as Markdown."""
    rows = list(FORMATS.values())
    pixels = [
        "| | bits | gray | alpha | compression | rejected |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join(_pixel_cells(row))} |" for row in rows),
    ]
    names = [field.name for field in fields(Metadata)]
    metadata = [
        f"| | {' | '.join(HEADINGS[name] for name in names)} |",
        f"|{'---|' * (len(names) + 1)}",
        *(
            f"| {row.title} | "
            + " | ".join("kept" if name in row.metadata else "-" for name in names)
            + " |"
            for row in rows
        ),
    ]
    return "\n".join([*pixels, "", *metadata])


def _pixel_cells(row: Format) -> list[str]:
    coded = "lossless" if row.lossy is None else "lossy"
    if row.lossy is not None and row.lossless is not None:
        coded = "as in the photo"
    if row.written_as is not None:
        coded = f"as {FORMATS[row.written_as].title}"
    title = row.title if row.extra is None else f"{row.title} (extra `{row.extra}`)"
    alpha = "kept" if row.alpha else "rejected"
    if row.alpha and row.gray and not row.gray_alpha:
        alpha = "kept, then gray is RGB"
    if row.written_as is not None:
        return [title, "16", "-", "-", coded, row.refused or "-"]
    bits = ", ".join("32 (float)" if bits == 32 else str(bits) for bits in row.bit_depths)
    return [title, bits, "kept" if row.gray else "as RGB", alpha, coded, row.refused or "-"]


def main() -> None:
    """Writes the tables between their two markers."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{make_tables()}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
