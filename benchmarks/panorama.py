"""How much memory a panorama takes: `python benchmarks/panorama.py`.

Denoises 20000 x 10000 pixels of 8 bits, synthetic, by the default model: a JPEG, a PNG and a TIFF
file through the command line, and an array in Python, each in a process of its own. Reports their
peak resident memory, the file or array and the result included, and exits 1 if one is over the
limit.
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

ROOT = Path(__file__).parents[1]
LIMIT_GB = 2.0
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif"}
KINDS = (*SUFFIXES, "array")


def make_panorama(width: int, height: int) -> np.ndarray:
    """Makes smooth color with noise of 15/255."""
    rng = np.random.default_rng(0)
    pixels = np.empty((height, width, 3), np.uint8)
    columns = np.linspace(0, 6 * np.pi, width, dtype=np.float32)[None, :, None]
    columns = columns + np.arange(3, dtype=np.float32)
    for top in range(0, height, 64):
        band = pixels[top : top + 64]
        rows = np.arange(top, top + len(band), dtype=np.float32)[:, None, None] / 300
        noise = 15 * rng.standard_normal(band.shape, np.float32)
        band[:] = (127 + 90 * np.sin(columns) * np.cos(rows) + noise).clip(0, 255)
    return pixels


def write_panorama(path: str, width: int, height: int) -> None:
    """Writes it to a file: JPEG of high quality, PNG of little compression, TIFF of none."""
    import tifffile
    from PIL import Image

    pixels = make_panorama(width, height)
    if path.endswith(".tif"):
        tifffile.imwrite(path, pixels, photometric="rgb")
    else:
        Image.fromarray(pixels).save(path, quality=95, subsampling=0, compress_level=1)


def denoise_array(width: int, height: int, model: str | None, threads: int | None) -> None:
    """Denoises it in Python."""
    from kerasdenoise import Denoiser

    noisy = make_panorama(width, height)
    denoised = Denoiser(model, threads=threads)(noisy)
    assert denoised.shape == noisy.shape


def measure(command: list[str]) -> tuple[float, float]:
    """Runs a command; returns its peak resident GB and its seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit("denoising failed")
    # Linux counts in KiB, macOS in bytes.
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9, seconds


def call(function: str, *arguments: object) -> list[str]:
    """Returns a command that calls one of these functions.

    In a process of its own, as the peak of a child starts at what its parent holds.
    """
    code = f"from panorama import {function}; {function}(*{arguments!r})"
    path = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
    return [sys.executable, "-c", path + code]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="by default the default model")
    parser.add_argument("--width", type=int, default=20_000)
    parser.add_argument("--height", type=int, default=10_000)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    arguments = parser.parse_args()
    size = (arguments.width, arguments.height)
    options = [] if arguments.model is None else ["--model", arguments.model]
    options += [] if arguments.threads is None else ["--threads", str(arguments.threads)]
    over = False
    print("| panorama | megapixels | peak resident GB | limit GB | seconds |")
    print("|---|---|---|---|---|", flush=True)
    for kind in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            if kind == "array":
                command = call("denoise_array", *size, arguments.model, arguments.threads)
            else:
                photo = str(Path(folder) / f"panorama{SUFFIXES[kind]}")
                subprocess.run(call("write_panorama", photo, *size), check=True)
                command = [sys.executable, str(ROOT / "cli.py"), "denoise", photo, "--quiet"]
                command += options
            peak, seconds = measure(command)
        over |= peak > LIMIT_GB
        megapixels = arguments.width * arguments.height / 1e6
        print(
            f"| {kind} | {megapixels:.0f} | {peak:.2f} | {LIMIT_GB} | {seconds:.0f} |", flush=True
        )
    sys.exit(over)


if __name__ == "__main__":
    main()
