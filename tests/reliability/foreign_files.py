"""Reads and writes all files of a folder, such as the test suite of another project.

    python -m tests.reliability.foreign_files FOLDER

Prints tables as in docs/reliability.md: how many files of each format were tried, written and
rejected, and for what. Each is read in a process of its own, so that one that dies is counted.
A file is wrong where the pixels that were read differ from Pillow's, or from those of the result
that was written without loss; where Pillow cannot read it, it is not judged.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.errors import KerasDenoiseError
from kerasdenoise.evaluation.pages import table
from kerasdenoise.images import FORMATS, Image, encode_image, read_image

ROOT = Path(__file__).parents[2]
WORKER = [sys.executable, "-m", "tests.reliability.foreign_files", "--judge"]
SECONDS = 120
# Decoders of formats with loss may round differently.
_LOSSY = 3


def judge(path: Path) -> dict[str, str]:
    """Reads a file and writes it again; returns its format, what happened, and why."""
    try:
        image = read_image(path, first_only=True)
    except KerasDenoiseError as error:
        return {"format": path.suffix.lower() or "none", "outcome": "rejected", "why": error.cause}
    found = {"format": image.format, "outcome": "written", "why": ""}
    if differs := _differs_from_pillow(path, image):
        return {**found, "outcome": "wrong", "why": differs}
    try:
        data = encode_image(image)
    except KerasDenoiseError as error:
        return {**found, "outcome": "rejected", "why": error.cause}
    if FORMATS[image.format].lossy is None:
        again = read_image(data)
        if not np.array_equal(again.pixels, image.pixels):
            return {**found, "outcome": "wrong", "why": "the result has other pixels"}
    return found


def _differs_from_pillow(path: Path, image: Image) -> str:
    """Returns how pixels of 8 bits differ from Pillow's, or nothing where they do not."""
    try:
        with warnings.catch_warnings(action="ignore"), PillowImage.open(path) as picture:
            if image.bit_depth != 8 or picture.mode not in ("1", "L", "RGB", "P", "LA", "RGBA"):
                return ""
            shown = np.asarray(picture.convert("L" if image.gray else "RGB"))
    except Exception:  # what it cannot read, it cannot judge
        return ""
    shown = shown.reshape(*shown.shape[:2], -1)
    if shown.shape != image.pixels.shape:
        return f"Pillow's picture is {shown.shape}, this one {image.pixels.shape}"
    furthest = float(np.abs(np.rint(image.pixels * 255) - shown).max())
    limit = 0 if FORMATS[image.format].lossy is None else _LOSSY
    return f"differs from Pillow's by up to {furthest:g}" if furthest > limit else ""


def run(path: Path) -> dict[str, str]:
    """Judges a file in a process of its own."""
    facts = {"format": path.suffix.lower() or "none"}
    try:
        outcome = subprocess.run(
            [*WORKER, str(path.resolve())],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {**facts, "outcome": "stopped", "why": f"no end in {SECONDS} s"}
    try:
        return json.loads(outcome.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {**facts, "outcome": "died", "why": f"exit {outcome.returncode}"}


def describe(rows: dict[str, dict[str, str]]) -> str:
    """Writes the counts of each format, the reasons of refusals, and all that went wrong."""
    formats: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows.values():
        formats[row["format"]][row["outcome"]] += 1
    outcomes = ("written", "rejected", "wrong", "died", "stopped")
    counted = [
        [name, counts.total(), *(counts[each] for each in outcomes)]
        for name, counts in sorted(formats.items())
    ]
    reasons = Counter(
        re.sub(r"[(].*[)]|\d+", "…", row["why"])[:80]
        for row in rows.values()
        if row["outcome"] == "rejected"
    )
    faults = {name: row for name, row in rows.items() if row["outcome"] not in outcomes[:2]}
    return "\n".join(
        [
            table(["", "tried", *outcomes], counted),
            "",
            table(
                ["files", "rejected because each"],
                [(count, reason) for reason, count in reasons.most_common()],
            ),
            "",
            *(f"{name}: {row['outcome']}, {row['why']}" for name, row in faults.items()),
        ]
    )


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description="Reads and writes all files of a folder.")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.judge:
        print(json.dumps(judge(arguments.judge)))
        return
    files = sorted(path for path in arguments.folder.rglob("*") if path.is_file())
    print(describe({str(path.relative_to(arguments.folder)): run(path) for path in files}))


if __name__ == "__main__":
    main()
