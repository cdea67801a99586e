"""How much memory and time large photos take: `python benchmarks/memory.py`.

Denoises a synthetic photo of 6000 x 4000 pixels by the default model and, with random weights, one
of 4000 x 3000 by every preset of every architecture, through the command line, each in
a process of its own. Reports those processes' peak resident memory, and exits 1 if one is over
the limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from kerasdenoise.evaluation.costs import run_command
from kerasdenoise.evaluation.noisy_sets import write_noisy

ROOT = Path(__file__).parents[1]
LIMIT_GB = 1.5


def write_model(architecture: str, preset: str, folder: Path) -> None:
    """Exports a network with random weights, as a model that the command line can use."""
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.export.litert import write_runnable
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


def measure(photo: Path, model: str | Path | None, options: list[str]) -> tuple[float, int]:
    """Denoises a photo; returns the seconds and the peak of memory in bytes."""
    command = [sys.executable, ROOT / "cli.py", "denoise", photo, "--overwrite", "--quiet"]
    command += [*options, *([] if model is None else ["--model", model])]
    return run_command(command, f"denoising by {model or 'the default model'}")


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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
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
                write_noisy(photo, height, width, quality=95, subsampling=0)
            model = None if name == "default" else Path(temporary) / name.replace("/", "_")
            if model:
                architecture, preset = name.split("/")
                write_model(architecture, preset, model)
            seconds, peak = measure(photo, model, options)
            over |= peak / 1e9 > LIMIT_GB
            print(
                f"| {name} | {width * height / 1e6:.0f} | {peak / 1e9:.2f} | {LIMIT_GB} "
                f"| {seconds:.0f} |",
                flush=True,
            )
    sys.exit(over)


if __name__ == "__main__":
    main()
