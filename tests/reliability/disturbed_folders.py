"""Disturbs batches otherwise than by kills and looks at what they leave, for docs/reliability.md.

    python -m tests.reliability.disturbed_folders

Disks that are too small or become read-only (mounted where no one else sees them, by `unshare`),
two runs at once on one folder, photos that go while others are done, and 10,000 photos in one
folder. Each batch must end with the exit code and the words that it should; each result that is
there must be the very bytes that an undisturbed run writes, and each photo as it was; and once the
disturbance is over, the same command must do the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kerasdenoise.evaluation.pages import table, wrap, write_section
from tests.reliability.killed_batches import Files, read_files, start, write_photos

ROOT = Path(__file__).parents[2]
RESULT = Path(__file__).parent / "results" / "disturbed_folders.json"
PAGE = ROOT / "docs" / "reliability.md"

FAILED = "photos that failed during it"
FOUND = (
    FAILED,
    "partial or foreign results",
    "changed photos",
    "hidden files left",
    "results missing at the end",
    "unexpected exit codes or messages",
)

Rows = list[dict[str, Any]]


def end(process: subprocess.Popen[bytes]) -> tuple[int, Rows]:
    """Waits for a batch; returns its exit code and what it says of each photo."""
    printed, _ = process.communicate(timeout=3600)
    return process.returncode, [json.loads(line) for line in printed.splitlines()]


def mount(disk: Path, options: str) -> bool:
    """Mounts a disk in memory, or changes the one that is mounted there."""
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(disk)]
    return subprocess.run(command, capture_output=True).returncode == 0


class Scene:
    """Photos, what an undisturbed run makes of them, and what was found so far.

    Args:
        folder: Where all of it is.
        photos: How many photos.
        model: What denoises them.
        seed: Of what is left to chance.
    """

    def __init__(self, folder: Path, photos: int, model: str, seed: int) -> None:
        self.folder = folder
        self.source = folder / "photos"
        self.model = model
        self.chance = random.Random(seed)
        self.found: Counter[str] = Counter()
        write_photos(self.source, photos)
        self.originals = read_files(self.source)
        code, _ = end(self.start(folder / "whole"))
        if code:
            sys.exit("the undisturbed run failed")
        self.expected = read_files(folder / "whole")

    def start(self, results: Path) -> subprocess.Popen[bytes]:
        """Starts denoising all photos, or goes on with it."""
        return start(self.source, results, self.model)

    def expect(self, as_it_should_be: object) -> None:
        """Counts what is not as it should be."""
        self.found["unexpected exit codes or messages"] += not as_it_should_be

    def look(self, results: Path) -> Files:
        """Looks at what a batch has left; returns its results."""
        left = read_files(results)
        hidden = {name for name in left if Path(name).name.startswith(".")}
        shown = {name: content for name, content in left.items() if name not in hidden}
        self.found["hidden files left"] += len(hidden)
        self.found["partial or foreign results"] += sum(
            self.expected.get(name) != content for name, content in shown.items()
        )
        self.found["changed photos"] += read_files(self.source) != self.originals
        return shown

    def finish(self, results: Path) -> None:
        """Runs the same command again, undisturbed."""
        code, _ = end(self.start(results))
        self.expect(code == 0)
        missing = self.expected.keys() - self.look(results).keys()
        self.found["results missing at the end"] += len(missing)


def fill_disk(scene: Scene) -> None:
    """Denoises to a disk that is too small for all of the results."""
    disk = scene.folder / "disk"
    disk.mkdir(exist_ok=True)
    most = sum(map(len, scene.expected.values())) // 1024
    scene.expect(mount(disk, f"size={scene.chance.randrange(16, most)}k"))
    code, rows = end(scene.start(disk))
    failed = [row for row in rows if row["status"] == "failed"]
    scene.found[FAILED] += len(failed)
    scene.expect(code == bool(failed))
    scene.expect(all("no space left on the device" in row["error"] for row in failed))
    scene.expect(len(scene.look(disk)) == len(rows) - len(failed))
    scene.expect(mount(disk, "remount,size=1g"))
    scene.finish(disk)
    subprocess.run(["umount", disk], check=True)


def close_disk(scene: Scene) -> None:
    """Denoises to a disk that becomes read-only during the run, and to one that already is."""
    disk = scene.folder / "disk"
    disk.mkdir(exist_ok=True)
    scene.expect(mount(disk, "size=1g"))
    process = scene.start(disk)
    if process.stdout is not None:
        process.stdout.readline()
    # Refused as long as a file is being written.
    while process.poll() is None and not mount(disk, "remount,ro"):
        time.sleep(0.001)
    code, rows = end(process)
    failed = [row for row in rows if row["status"] == "failed"]
    scene.found[FAILED] += len(failed)
    scene.expect(code == bool(failed))
    scene.expect(all("the disk is read-only" in row["error"] for row in failed))
    scene.look(disk)
    scene.expect(mount(disk, "remount,ro"))
    code, rows = end(scene.start(disk))
    scene.expect((code, rows) == ((2, []) if failed else (0, rows)))
    scene.expect(mount(disk, "remount,rw"))
    scene.finish(disk)
    subprocess.run(["umount", disk], check=True)


def run_twice_at_once(scene: Scene) -> None:
    """Denoises one folder by two runs at a time, to one folder."""
    results = scene.folder / "results"
    ends = [end(process) for process in [scene.start(results) for _ in range(2)]]
    scene.expect([code for code, _ in ends] == [0, 0])
    written = [row["input"] for _, rows in ends for row in rows if row["status"] == "written"]
    scene.expect(len(written) == len(set(written)) == len(scene.expected))
    scene.look(results)
    scene.finish(results)
    shutil.rmtree(results)


def take_photos_away(scene: Scene) -> None:
    """Takes some of the photos away while others are done, and puts them back."""
    results, away = scene.folder / "results", scene.folder / "away"
    process = scene.start(results)
    if process.stdout is not None:
        process.stdout.readline()
    names = scene.chance.sample(sorted(scene.originals), 3)
    away.mkdir()
    for number, name in enumerate(names):
        (scene.source / name).rename(away / str(number))
    code, rows = end(process)
    for number, name in enumerate(names):
        (away / str(number)).rename(scene.source / name)
    away.rmdir()
    failed = {row["input"]: row["error"] for row in rows if row["status"] == "failed"}
    scene.found[FAILED] += len(failed)
    scene.expect(code == bool(failed))
    scene.expect(failed.keys() <= {str(scene.source / name) for name in names})
    scene.expect(all("no such file" in error for error in failed.values()))
    scene.look(results)
    scene.finish(results)
    shutil.rmtree(results)


def denoise_many(folder: Path, count: int, model: str) -> dict[str, Any]:
    """Denoises a folder of very many tiny photos, and again where nothing is left to do."""
    source, results = folder / "many", folder / "many_denoised"
    source.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(source / f"{number:05}.png")
    originals = read_files(source)
    started = time.monotonic()
    code, rows = end(start(source, results, model))
    seconds = time.monotonic() - started
    started = time.monotonic()
    again, skipped = end(start(source, results, model))
    seconds_again = time.monotonic() - started
    # Beside results of Python's own function, photo by photo.
    from kerasdenoise import Denoiser

    denoiser = Denoiser(model, threads=1)
    there = read_files(results)
    wrong = sum(denoiser(content) != there.get(name) for name, content in originals.items())
    return {
        "photos": count,
        "written": sum(row["status"] == "written" for row in rows),
        "skipped_again": sum(row["status"] == "skipped" for row in skipped),
        "exit_codes": [code, again],
        "wrong_results": wrong,
        "other_files": len(there.keys() - originals.keys()),
        "changed_photos": int(read_files(source) != originals),
        "seconds": round(seconds, 1),
        "seconds_again": round(seconds_again, 1),
    }


DISTURBANCES: dict[str, Callable[[Scene], None]] = {
    "disk full": fill_disk,
    "disk read-only, from the start or later": close_disk,
    "two runs at once": run_twice_at_once,
    "photos removed during the run": take_photos_away,
}


def is_clean(summary: dict[str, Any]) -> bool:
    """Whether all was as it should be."""
    many = summary["many"]
    done = many["written"] == many["skipped_again"] == many["photos"]
    faults = many["wrong_results"] + many["other_files"] + many["changed_photos"]
    bad = [found[name] for found in summary["disturbances"].values() for name in FOUND[1:]]
    return done and many["exit_codes"] == [0, 0] and not faults and not any(bad)


def describe(summary: dict[str, Any]) -> str:
    """Writes the section of the page."""
    many = summary["many"]
    found = summary["disturbances"]
    rows = [[name, *(each[name] for each in found.values())] for name in FOUND]
    return wrap(f"""## Disturbed folders

`python -m tests.reliability.disturbed_folders` denoises a folder of {summary["photos"]} small
photos with `denoise -r --skip-existing` under each of these disturbances, {summary["times"]}
times. It then runs the command again without them.

{table(["", *found], rows)}

Of {many["photos"]:,} photos in one folder, {many["written"]:,} were written in
{many["seconds"]:.0f} s. {many["wrong_results"]} of them differ from the results of Python's
`denoise`. Run again, the command skipped {many["skipped_again"]:,} in
{many["seconds_again"]:.1f} s.""")


def main() -> None:
    """Runs what the command line asks for; exits 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(description="Disturbs batches and looks at what they leave.")
    parser.add_argument("--times", type=int, default=20, help="each disturbance")
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--many", type=int, default=10_000, help="photos in one folder")
    parser.add_argument("--model", default="perona_malik")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        # What is mounted inside is seen by no other process, and gone with this one.
        module = [sys.executable, "-m", "tests.reliability.disturbed_folders"]
        again = ["unshare", "--mount", "--map-root-user", *module, *sys.argv[1:], "--inside"]
        os.execvp(again[0], again)
    disturbances = {}
    with tempfile.TemporaryDirectory() as temporary:
        scene = Scene(Path(temporary), arguments.photos, arguments.model, arguments.seed)
        for name, disturb in DISTURBANCES.items():
            scene.found = Counter(dict.fromkeys(FOUND, 0))
            for _ in range(arguments.times):
                disturb(scene)
            disturbances[name] = dict(scene.found)
            print(name, disturbances[name], file=sys.stderr)
        many = denoise_many(Path(temporary), arguments.many, arguments.model)
    summary = {
        "times": arguments.times,
        "photos": arguments.photos,
        "model": arguments.model,
        "seed": arguments.seed,
        "disturbances": disturbances,
        "many": many,
    }
    arguments.result.parent.mkdir(parents=True, exist_ok=True)
    arguments.result.write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    write_section(arguments.page, "disturbed folders", describe(summary))
    print(json.dumps(summary, indent=1))
    sys.exit(not is_clean(summary))


if __name__ == "__main__":
    main()
