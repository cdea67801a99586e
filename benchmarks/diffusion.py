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
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.runtime import prepare_keras

try:
    import cv2
except ImportError:
    sys.exit("this benchmark compares with OpenCV; run pip install opencv-python-headless")

STEPS = 8
LEAST_RATIO = 5.0


def make_picture(height: int, width: int) -> np.ndarray:
    """Smooth color with noise of 15/255, float32 (1, height, width, 3) in [0, 1]."""
    rng = np.random.default_rng(0)
    rows = np.arange(height)[:, None, None] / 300
    columns = np.linspace(0, 6 * np.pi, width)[None, :, None] + np.arange(3)
    clean = 0.5 + 0.35 * np.sin(columns) * np.cos(rows)
    noisy = clean + rng.normal(0, 15 / 255, clean.shape)
    return noisy.clip(0, 1).astype(np.float32)[np.newaxis]


def make_peers(noisy: np.ndarray, folder: Path) -> dict[str, Callable[[], object]]:
    """What is timed, by name; each takes the picture as it needs it."""
    prepare_keras()  # before what imports it
    from kerasdenoise.export.litert import export_litert
    from kerasdenoise.models.perona_malik import Config, build

    path = folder / "model.tflite"
    export_litert(build(Config(scope="fixed", steps=STEPS)), path)
    engine = LiteRTEngine(path)
    bytes_ = np.round(255 * noisy[0]).astype(np.uint8)
    return {
        f"{STEPS} diffusion steps, LiteRT": lambda: engine({"noisy": noisy}),
        "fastNlMeansDenoisingColored, OpenCV": lambda: cv2.fastNlMeansDenoisingColored(bytes_),
    }


def time_in_turns(peers: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(rounds + 1):
        for name, run in peers.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--height", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    noisy = make_picture(arguments.height, arguments.width)
    with tempfile.TemporaryDirectory() as folder:
        seconds = time_in_turns(make_peers(noisy, Path(folder)), arguments.rounds)
    megapixels = arguments.width * arguments.height / 1e6
    print("| method | ms, median | ms, range | megapixels per second |")
    print("|---|---|---|---|")
    for name, times in seconds.items():
        median = statistics.median(times)
        span = f"{1e3 * min(times):.0f} to {1e3 * max(times):.0f}"
        print(f"| {name} | {1e3 * median:.0f} | {span} | {megapixels / median:.1f} |")
    diffusion, peer = (statistics.median(times) for times in seconds.values())
    print(
        f"\nDiffusion is {peer / diffusion:.1f} times as fast; at least {LEAST_RATIO:g} is asked."
    )
    sys.exit(peer / diffusion < LEAST_RATIO)


if __name__ == "__main__":
    main()
