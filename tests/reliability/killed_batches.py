"""Kills batches at random moments and looks at what they leave, for docs/reliability.md.

    python -m tests.reliability.killed_batches

A folder of small photos is denoised by `denoise -r --skip-existing`, in a process that is killed
(SIGKILL, which nothing can catch) at a random moment, most often while it works, and started again
until it comes to its end. After each kill every result that is there must be the very bytes that an
undisturbed run writes, and every photo as it was; in the end all results must be there. Hidden
files of the writer's own that a kill leaves are counted.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kerasdenoise.evaluation.pages import table, wrap, write_section

ROOT = Path(__file__).parents[2]
RESULT = Path(__file__).parent / "results" / "killed_batches.json"
PAGE = ROOT / "docs" / "reliability.md"
SUFFIXES = (".jpg", ".png", ".webp")

FOUND = (
    "partial or foreign results",
    "changed photos",
    "failed runs",
    "missing results",
    "hidden files left",
)

Files = dict[str, bytes]


def write_photos(folder: Path, count: int) -> None:
    """Writes small noisy photos of several formats, some of them in folders in the folder."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / ("" if number % 3 else "inner") / f"{number}{SUFFIXES[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        ramp = np.linspace(40, 200, 320)[:, None] + rng.normal(0, 20, (240, 320, 3))
        Image.fromarray(ramp.clip(0, 255).astype(np.uint8)).save(path)


def read_files(folder: Path) -> Files:
    """Returns the content of all files of a tree, by their names in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def start(photos: Path, results: Path, model: str) -> subprocess.Popen[bytes]:
    """Starts denoising a folder, or goes on with it."""
    options = ["-r", "-o", results, "--skip-existing", "-m", model, "--json"]
    # Its threads come even where there is one core, so that steps overlap everywhere.
    command = [sys.executable, ROOT / "cli.py", "denoise", photos, *options, "--threads", "2"]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)


def wait_for_work(process: subprocess.Popen[bytes]) -> float:
    """Waits until a first photo is written or skipped; returns the time then, in seconds."""
    if process.stdout is not None:
        process.stdout.readline()
    return time.monotonic()


def run_and_kill(process: subprocess.Popen[bytes], moment: float) -> int:
    """Lets a process run for so many seconds more, and kills it; returns its exit code."""
    try:
        process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return process.returncode


def kill_batches(kills: int, photos: int, model: str, seed: int) -> dict[str, Any]:
    """Runs batches until so many were killed, and counts what was found."""
    moments = random.Random(seed)
    there: Counter[int] = Counter()
    found: Counter[str] = Counter()
    done = batches = 0
    found.update(dict.fromkeys(FOUND, 0))
    with tempfile.TemporaryDirectory() as temporary:
        source, whole, results = (Path(temporary) / name for name in ("photos", "whole", "results"))
        write_photos(source, photos)
        originals = read_files(source)
        started = time.monotonic()
        process = start(source, whole, model)
        working = wait_for_work(process)
        process.communicate()
        if process.returncode:
            sys.exit("the undisturbed run failed")
        seconds, working = time.monotonic() - started, time.monotonic() - working
        expected = read_files(whole)
        complete = False
        while done < kills:
            process = start(source, results, model)
            if complete:
                code = run_and_kill(process, 600)
            elif moments.random() < 0.25:
                code = run_and_kill(process, moments.uniform(0, seconds))
            else:
                wait_for_work(process)
                code = run_and_kill(process, moments.uniform(0, working))
            left = read_files(results)
            hidden = {name for name in left if Path(name).name.startswith(".")}
            shown = {name: content for name, content in left.items() if name not in hidden}
            found["partial or foreign results"] += sum(
                expected.get(name) != content for name, content in shown.items()
            )
            found["changed photos"] += read_files(source) != originals
            if code < 0:
                done += 1
                complete = shown.keys() == expected.keys()
                there[len(shown)] += 1
                print(f"kill {done}: {len(shown)} of {photos} results", file=sys.stderr)
                continue
            batches += 1
            found["failed runs"] += code != 0
            found["missing results"] += len(expected.keys() - shown.keys())
            found["hidden files left"] += len(hidden)
            complete = False
            shutil.rmtree(results)
    return {
        "kills": done,
        "photos": photos,
        "model": model,
        "seed": seed,
        "batches_completed": batches,
        "undisturbed_seconds": round(seconds, 2),
        "kills_by_results_there": {str(count): there[count] for count in sorted(there)},
        **{name.replace(" ", "_"): count for name, count in found.items()},
    }


def is_clean(summary: dict[str, Any]) -> bool:
    """Whether nothing was lost, changed or half there."""
    return not any(summary[name.replace(" ", "_")] for name in FOUND[:-1])


def describe(summary: dict[str, Any]) -> str:
    """Writes the section of the page."""
    between = sum(
        count
        for there, count in summary["kills_by_results_there"].items()
        if 0 < int(there) < summary["photos"]
    )
    rows = [
        ("kills", f"{summary['kills']:,}"),
        ("kills when some results existed", f"{between:,}"),
        ("partial or foreign results", summary["partial_or_foreign_results"]),
        ("changed photos", summary["changed_photos"]),
        ("finished batches", f"{summary['batches_completed']:,}"),
        (
            "results that were then missing, or differ from an undisturbed run",
            summary["missing_results"],
        ),
        ("runs that failed", summary["failed_runs"]),
        ("hidden temporary files left", summary["hidden_files_left"]),
    ]
    return wrap(f"""## Killed batches

`python -m tests.reliability.killed_batches` denoises a folder of {summary["photos"]} small photos
with `denoise -r --skip-existing`. It kills the process at a random moment, usually while it works,
and runs the command again until it finishes.

{table(("", ""), rows)}

On Linux file systems, a result is written to a file without a name, forced to the disk, and only
then given its name, so a kill leaves nothing. On others, such as a camera's memory card, the file
has a hidden name until then. A kill at that moment leaves it, but later runs do not mistake it for
a photo.""")


def main() -> None:
    """Runs what the command line asks for; exits 1 if anything was lost."""
    parser = argparse.ArgumentParser(description="Kills batches and looks at what they leave.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--model", default="perona_malik")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    summary = kill_batches(arguments.kills, arguments.photos, arguments.model, arguments.seed)
    arguments.result.parent.mkdir(parents=True, exist_ok=True)
    arguments.result.write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    write_section(arguments.page, "killed batches", describe(summary))
    print(json.dumps(summary, indent=1))
    sys.exit(not is_clean(summary))


if __name__ == "__main__":
    main()
