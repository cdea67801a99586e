"""How much memory a panorama takes in Python: `python benchmarks/panorama.py`.

Denoises an array of 20000 x 10000 pixels of 8 bits, synthetic, by the default model, and reports
the process's peak resident memory, the array and the result included. Exits 1 if it is over the
limit.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np

from kerasdenoise import Denoiser

LIMIT_GB = 2.0


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="by default the default model")
    parser.add_argument("--width", type=int, default=20_000)
    parser.add_argument("--height", type=int, default=10_000)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    noisy = make_panorama(arguments.width, arguments.height)
    start = time.perf_counter()
    denoiser = Denoiser(arguments.model, threads=arguments.threads)
    denoised = denoiser(noisy)
    seconds = time.perf_counter() - start
    assert denoised.shape == noisy.shape
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    print("| model | megapixels | peak resident GB | limit GB | seconds |")
    print("|---|---|---|---|---|")
    print(
        f"| {denoiser.info.name} | {arguments.width * arguments.height / 1e6:.0f} | {peak:.2f} "
        f"| {LIMIT_GB} | {seconds:.0f} |"
    )
    sys.exit(peak > LIMIT_GB)


if __name__ == "__main__":
    main()
