"""How fast eight diffusion steps are against OpenCV: `python benchmarks/diffusion.py`.

Times classical Perona-Malik diffusion of an RGB picture in LiteRT and OpenCV's non-local means
on the same picture, in turns, both on all cores. Exits 1 if the median is not five times as
fast. Needs OpenCV: `pip install opencv-python-headless`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kerasdenoise.evaluation.costs import median_ratio, time_in_turns
from kerasdenoise.evaluation.noisy_sets import make_noisy
from kerasdenoise.evaluation.pages import table
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.runtime import prepare_keras

try:
    import cv2  # pyright: ignore[reportMissingImports]  (of the extra `peers`)
except ImportError:
    sys.exit("this benchmark compares with OpenCV; run pip install opencv-python-headless")

STEPS = 8
LEAST_RATIO = 5.0


def make_peers(pixels: np.ndarray, folder: Path) -> dict[str, Callable[[], object]]:
    """What is timed, by name; each takes the picture as it needs it."""
    prepare_keras()  # before what imports it
    from kerasdenoise.export.litert import export_litert
    from kerasdenoise.models.perona_malik import Config, build

    path = folder / "model.tflite"
    export_litert(build(Config(scope="fixed", steps=STEPS)), path)
    engine = LiteRTEngine(path)
    noisy = pixels[np.newaxis] / np.float32(255)
    return {
        f"{STEPS} diffusion steps, LiteRT": lambda: engine({"noisy": noisy}),
        "fastNlMeansDenoisingColored, OpenCV": lambda: cv2.fastNlMeansDenoisingColored(pixels),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--height", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    pixels = make_noisy(arguments.height, arguments.width)
    with tempfile.TemporaryDirectory() as folder:
        peers = make_peers(pixels, Path(folder))
        runs = {name: lambda run=run: run for name, run in peers.items()}
        seconds = time_in_turns(runs, arguments.rounds)
    megapixels = arguments.width * arguments.height / 1e6
    rows = []
    for name, times in seconds.items():
        median = statistics.median(times)
        span = f"{1e3 * min(times):.0f} to {1e3 * max(times):.0f}"
        rows.append((name, f"{1e3 * median:.0f}", span, f"{megapixels / median:.1f}"))
    print(table(("method", "ms, median", "ms, range", "megapixels per second"), rows))
    diffusion, peer = seconds.values()
    ratio = median_ratio(peer, diffusion)
    print(f"\nDiffusion is {ratio:.1f} times as fast; at least {LEAST_RATIO:g} is asked.")
    sys.exit(ratio < LEAST_RATIO)


if __name__ == "__main__":
    main()
