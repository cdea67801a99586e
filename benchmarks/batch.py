"""How much faster a batch is than its photos one by one: `python benchmarks/batch.py`.

Denoises synthetic JPEG photos by the default model twice, both through the command line: in
batches with all cores, and photo by photo with one thread. The two take turns, a few photos at a
time, so that what else the machine does is the same for both. Checks that the files are the same,
reports seconds, their ratio and the batches' peak resident memory, and exits 1 if the ratio is
below the goal.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from kerasdenoise.evaluation.costs import run_command
from kerasdenoise.evaluation.noisy_sets import write_noisy
from kerasdenoise.evaluation.pages import table

ROOT = Path(__file__).parents[1]
GOAL = 1.6
TURN = 5
"""Photos of a turn."""


def denoise(photos: list[Path], output: Path, options: list[str]) -> tuple[float, int]:
    """Denoises photos in one process; returns its seconds and its peak of memory in bytes."""
    command = [sys.executable, ROOT / "cli.py", "denoise", *photos, "-o", f"{output}/", "--quiet"]
    return run_command([*command, *options], "denoising")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    arguments, options = parser.parse_known_args()
    together = alone = 0.0
    most = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos = [folder / f"{number:03}.jpg" for number in range(arguments.photos)]
        for turn in range(0, len(photos), TURN):
            part = photos[turn : turn + TURN]
            for number, photo in enumerate(part, turn):
                write_noisy(photo, arguments.height, arguments.width, number, quality=92)
            seconds, peak = denoise(part, folder / "batch", options)
            together, most = together + seconds, max(most, peak)
            for photo in part:
                alone += denoise([photo], folder / "one", [*options, "--threads", "1"])[0]
                one, batch = (folder / name / photo.name for name in ("one", "batch"))
                if one.read_bytes() != batch.read_bytes():
                    sys.exit(f"{photo.name} is not the same in both")
                for done in (one, batch, photo):
                    done.unlink()
            print(f"{turn + len(part)} photos: {alone / together:.2f}", file=sys.stderr, flush=True)
    size = arguments.width * arguments.height / 1e6
    header = "photos", "megapixels", "one by one, 1 thread, s", "batch, s", "ratio"
    cells = len(photos), f"{size:.1f}", f"{alone:.0f}", f"{together:.0f}", f"{alone / together:.2f}"
    print(table((*header, "peak resident GB"), [(*cells, f"{most / 1e9:.2f}")]))
    sys.exit(alone / together < GOAL)


if __name__ == "__main__":
    main()
