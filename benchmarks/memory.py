"""How much memory and time a 24-megapixel photo takes: `python benchmarks/memory.py`.

Denoises a synthetic photo of 6000 x 4000 pixels through the command line, in a process of
its own, and reports that process's peak resident memory. Exits 1 if it is over the limit.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
LIMIT_GB = 1.5


def write_photo(path: Path, width: int, height: int) -> None:
    """Writes a JPEG of smooth color with noise of 15/255."""
    rng = np.random.default_rng(0)
    pixels = np.empty((height, width, 3), np.uint8)
    columns = np.linspace(0, 6 * np.pi, width)[None, :, None] + np.arange(3)
    for top in range(0, height, 256):
        rows = np.arange(top, min(top + 256, height))[:, None, None] / 300
        noise = rng.normal(0, 15, (len(rows), width, 3))
        clean = 127 + 90 * np.sin(columns) * np.cos(rows)
        pixels[top : top + 256] = (clean + noise).clip(0, 255)
    Image.fromarray(pixels).save(path, quality=95, subsampling=0)


def measure(photo: Path, options: list[str]) -> tuple[float, float]:
    """Denoises a photo; returns the peak resident memory in GB and the seconds."""
    target = photo.with_stem("denoised")
    command = [sys.executable, ROOT / "cli.py", "denoise", photo, "-o", target, *options]
    start = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e9, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=6000)
    parser.add_argument("--height", type=int, default=4000)
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        # A child's peak starts at its parent's, which is why the photo is made band by band.
        write_photo(photo, arguments.width, arguments.height)
        peak, seconds = measure(photo, ["--quiet", *options])
    megapixels = arguments.width * arguments.height / 1e6
    print("| megapixels | peak resident GB | limit GB | seconds | megapixels per second |")
    print("|---|---|---|---|---|")
    speed = megapixels / seconds
    print(f"| {megapixels:.1f} | {peak:.2f} | {LIMIT_GB} | {seconds:.0f} | {speed:.2f} |")
    sys.exit(peak > LIMIT_GB)


if __name__ == "__main__":
    main()
