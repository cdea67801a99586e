"""How much memory and time large photos take: `python benchmarks/memory.py`.

Denoises a synthetic photo of 6000 x 4000 pixels by the default model and, with random weights, one
of 4000 x 3000 by every preset of every architecture, through the command line, each in
a process of its own. Reports those processes' peak resident memory, and exits 1 if one is over
the limit.
"""

from __future__ import annotations

import argparse
import json
import os
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


def write_model(architecture: str, preset: str, folder: Path) -> None:
    """Exports a network with random weights, as a model that the command line can use."""
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.export.runnable import write_runnable
    from kerasdenoise.models import get_architecture

    module = get_architecture(architecture)
    config = module.PRESETS[preset]
    folder.mkdir()
    metadata = {
        "name": architecture,
        "architecture": architecture,
        "summary": "Random weights",
        **write_runnable(module.build(config), config, folder),
    }
    (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    (folder / "config.json").write_text("{}", "utf-8")


def measure(photo: Path, model: str | Path | None, options: list[str]) -> tuple[float, float]:
    """Denoises a photo; returns the peak resident memory in GB and the seconds."""
    command = [
        sys.executable,
        ROOT / "cli.py",
        "denoise",
        photo,
        "--overwrite",
        "--quiet",
        *options,
    ]
    command += [] if model is None else ["--model", model]
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"denoising by {model or 'the default model'} failed")
    # Linux counts in KiB, macOS in bytes.
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9, seconds


def list_presets() -> list[str]:
    """Names all presets but those that are for tests."""
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.models import get_architecture, list_architectures

    return [
        f"{architecture}/{preset}"
        for architecture in list_architectures()
        for preset in get_architecture(architecture).PRESETS
        if preset != "tiny"
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="'default', or ARCHITECTURE/PRESET"
    )
    arguments, options = parser.parse_known_args()
    names = arguments.only or ["default", *list_presets()]
    over = False
    print("| model | megapixels | peak resident GB | limit GB | seconds |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for name in names:
            width, height = (6000, 4000) if name == "default" else (4000, 3000)
            photo = Path(temporary) / f"{width}.jpg"
            if not photo.exists():
                write_photo(photo, width, height)
            model = None if name == "default" else Path(temporary) / name.replace("/", "_")
            if model:
                # In a process of its own: a child's peak starts at what its parent holds.
                code = "import sys; from pathlib import Path; from memory import write_model; "
                code += f"write_model(*{name!r}.split('/'), Path({str(model)!r}))"
                subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
            peak, seconds = measure(photo, model, options)
            over |= peak > LIMIT_GB
            print(
                f"| {name} | {width * height / 1e6:.0f} | {peak:.2f} | {LIMIT_GB} "
                f"| {seconds:.0f} |",
                flush=True,
            )
    sys.exit(over)


if __name__ == "__main__":
    main()
