"""How much faster a batch is than its photos one by one: `python benchmarks/batch.py`.

Denoises synthetic JPEG photos by the default model twice, both through the command line: in
batches with all cores, and photo by photo with one thread. The two take turns, a few photos at a
time, so that what else the machine does is the same for both. Checks that the files are the same,
reports seconds, their ratio and the batches' peak resident memory, and exits 1 if the ratio is
below the goal.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
GOAL = 1.6
TURN = 5
"""Photos of a turn."""


def write_photo(path: Path, width: int, height: int, seed: int) -> None:
    """Writes a JPEG of smooth color with noise of 15/255, as a camera would code it."""
    rng = np.random.default_rng(seed)
    rows = np.arange(height)[:, None, None] / 300
    columns = np.linspace(0, 6 * np.pi, width)[None, :, None] + np.arange(3)
    clean = 127 + 90 * np.sin(columns + seed) * np.cos(rows)
    noisy = clean + rng.normal(0, 15, (height, width, 3)).astype(np.float32)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=92)


def denoise(photos: list[Path], output: Path, options: list[str]) -> tuple[float, float]:
    """Denoises photos in one process; returns its seconds and peak resident GB."""
    command = [sys.executable, ROOT / "cli.py", "denoise", *photos, "-o", f"{output}/", "--quiet"]
    start = time.perf_counter()
    process = subprocess.Popen([*map(str, command), *options])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("denoising failed")
    # Linux counts in KiB, macOS in bytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    return time.perf_counter() - start, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    arguments, options = parser.parse_known_args()
    together = alone = most = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos = [folder / f"{number:03}.jpg" for number in range(arguments.photos)]
        for turn in range(0, len(photos), TURN):
            part = photos[turn : turn + TURN]
            for number, photo in enumerate(part, turn):
                write_photo(photo, arguments.width, arguments.height, number)
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
    print("| photos | megapixels | one by one, 1 thread, s | batch, s | ratio | peak resident GB |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {len(photos)} | {size:.1f} | {alone:.0f} | {together:.0f} | {alone / together:.2f} "
        f"| {most:.2f} |"
    )
    sys.exit(alone / together < GOAL)


if __name__ == "__main__":
    main()
