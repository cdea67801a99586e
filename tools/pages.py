"""Measures all pages anew whose figures depend on the weights of saved models.

    PYTHONPATH=. python tools/pages.py            # hours; `make pages` does the same
    PYTHONPATH=. python tools/pages.py --list     # which pages are of earlier weights
    PYTHONPATH=. python tools/pages.py --only quality.md

At the end of each page it writes the date and the hash of the weights, as recorded in
saved_models/index.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kerasdenoise.evaluation.pages import write_section

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
INDEX = ROOT / "saved_models" / "index.json"
GENERAL = ("photo", "photo_large", "photo_tiny", "perona_malik", "reaction_diffusion")
SECTION = "measured"

# Each page in docs/: the models that it is about, and the words of the command that writes it.
PAGES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "quality.md": (GENERAL, ("experiments/quality.py",)),
    "benchmarks.md": (
        ("photo",),
        ("cli.py", "benchmark", "photo", "--limit", "12", "--rounds", "3", "--threads", "2",
         "--images", "{data}/test/cbsd68", "--page", "docs/benchmarks.md"),
    ),
    "real_photos.md": (("photo", "photo_tiny", "photo_large"), ("experiments/real_photos.py",)),
    "noise_level.md": (("photo", "photo_tiny", "photo_large"), ("experiments/noise_level.py",)),
    "adapt.md": (("photo",), ("experiments/adaptation.py", "--minutes", "3")),
}  # fmt: skip


def find_hash(model: str) -> str:
    """Returns the first digits of the SHA-256 of a saved model's weights."""
    files = json.loads(INDEX.read_text("utf-8"))["models"][model]["files"]
    return files["model.keras"]["sha256"][:12]


def stamp(page: Path, models: Sequence[str], day: datetime.date) -> None:
    """Writes at the end of a page when and with which weights it was measured."""
    weights = ", ".join(f"`{model}` {find_hash(model)}" for model in models)
    write_section(page, SECTION, f"Measured on {day} with the weights of {weights}.")


def find_state(page: Path, models: Sequence[str]) -> str:
    """Says whether a page was measured with the weights of today."""
    text = page.read_text("utf-8")
    found = re.search(rf"<!-- {SECTION} -->\nMeasured on (\S+) with the weights of (.*)\.\n", text)
    if found is None:
        return "measured before weights were noted"
    noted = dict(re.findall(r"`(\w+)` (\w+)", found.group(2)))
    changed = [model for model in models if noted.get(model) != find_hash(model)]
    if changed:
        return f"measured on {found.group(1)}, with other weights of {', '.join(changed)}"
    return f"current, measured on {found.group(1)}"


def measure(names: Sequence[str]) -> None:
    """Runs the commands of pages, and stamps each page when its command has ended well."""
    for name in names:
        models, words = PAGES[name]
        data = os.environ.get("KERASDENOISE_DATA", "data")
        command = [sys.executable, *(word.format(data=data) for word in words)]
        print(name, "by", *command[1:], flush=True)
        subprocess.run(command, cwd=ROOT, check=True)
        stamp(DOCS / name, models, datetime.date.today())


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description="Measures pages anew.")
    parser.add_argument("--only", nargs="+", choices=PAGES, default=[*PAGES], metavar="PAGE")
    parser.add_argument("--list", action="store_true", help="only list the pages' state")
    arguments = parser.parse_args()
    if arguments.list:
        for name in arguments.only:
            print(f"{name:16} {find_state(DOCS / name, PAGES[name][0])}")
    else:
        measure(arguments.only)


if __name__ == "__main__":
    main()
