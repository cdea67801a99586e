"""How much memory a panorama takes: `python benchmarks/panorama.py`.

Denoises 20000 x 10000 pixels of 8 bits, synthetic, by the default model: a JPEG, a PNG and a TIFF
file through the command line, and an array in Python, each in a process of its own. Reports their
peak resident memory, the file or array and the result included, and exits 1 if one is over the
limit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from kerasdenoise.evaluation.costs import peak_memory, run_command
from kerasdenoise.evaluation.noisy_sets import make_noisy, write_noisy

ROOT = Path(__file__).parents[1]
LIMIT_GB = 2.0
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif"}
KINDS = (*SUFFIXES, "array")


def denoise_array(height: int, width: int, model: str | None, threads: int | None) -> None:
    """Denoises it in Python."""
    from kerasdenoise import Denoiser

    noisy = make_noisy(height, width)
    denoised = Denoiser(model, threads=threads)(noisy)
    assert denoised.shape == noisy.shape


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="by default the default model")
    parser.add_argument("--width", type=int, default=20_000)
    parser.add_argument("--height", type=int, default=10_000)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    arguments = parser.parse_args()
    size = (arguments.height, arguments.width)
    options = [] if arguments.model is None else ["--model", arguments.model]
    options += [] if arguments.threads is None else ["--threads", str(arguments.threads)]
    over = False
    print("| panorama | megapixels | peak resident GB | limit GB | seconds |")
    print("|---|---|---|---|---|", flush=True)
    for kind in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            if kind == "array":
                import panorama  # pyright: ignore  (by its name, which another process can import as well)

                start = time.perf_counter()
                run = partial(panorama.denoise_array, *size, arguments.model, arguments.threads)
                peak, seconds = peak_memory(run, kind) or 0, time.perf_counter() - start
            else:
                photo = Path(folder) / f"panorama{SUFFIXES[kind]}"
                write_noisy(photo, *size, quality=95, subsampling=0, compress_level=1)
                command = [sys.executable, ROOT / "cli.py", "denoise", photo, "--quiet", *options]
                seconds, peak = run_command(command, "denoising")
        over |= peak / 1e9 > LIMIT_GB
        megapixels = arguments.width * arguments.height / 1e6
        print(
            f"| {kind} | {megapixels:.0f} | {peak / 1e9:.2f} | {LIMIT_GB} | {seconds:.0f} |",
            flush=True,
        )
    sys.exit(over)


if __name__ == "__main__":
    main()
