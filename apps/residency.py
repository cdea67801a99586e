"""Measures where the files for phones run whole, and how long a tile takes: writes `residency.md`.

    python apps/residency.py [MODEL_FOLDER ...]

Of a GPU in software it tells what the GPU takes, not the time, which says nothing of others.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
from functools import partial
from pathlib import Path

import numpy as np

from kerasdenoise.errors import UsageError
from kerasdenoise.evaluation.costs import time_in_turns
from kerasdenoise.export.gpu import check_gpu
from kerasdenoise.inference.engines import LiteRTEngine

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER / "residency.md"
_MODELS = FOLDER.parent / "saved_models"

_THREADS = 2
_ROUNDS = 15

_HEAD = """# Where the files for phones run

Measured by `python apps/residency.py` on the devices that are named, and on no others: no phone is
among them. *Whole* means that all of the network ran on the device. *Difference* is the largest to
the CPU's result, of 255. A megapixel is one of the photo: of a tile, its halo does not count.

| file | device | whole | difference | ms per tile | s per megapixel |
|---|---|---|---|---|---|
"""


def measure(sidecar: Path) -> list[str]:
    """Measures a model's file on each device that there is.

    Args:
        sidecar: What `kerasdenoise export` wrote beside it.

    Returns:
        Rows of the table.
    """
    facts = json.loads(sidecar.read_text(encoding="utf-8"))
    file, tile = sidecar.with_name(facts["file"]), facts["tile"]
    seconds = time_tile(file, facts["inputs"][0]["shape"])
    title = f"`{facts['model']}/{file.name}`"
    share = f"{1e6 * seconds / tile['step'] ** 2:.2f}" if tile["step"] else "-"
    cpu = f"desktop CPU ({processor()}), {_THREADS} threads"
    rows = [f"| {title} | {cpu} | - | - | {1e3 * seconds:.0f} | {share} |"]
    try:
        gpu = check_gpu(file)
    except UsageError:
        return rows
    whole = "yes" if gpu.whole else f"no: {gpu.cause}"
    difference = "-" if math.isnan(gpu.largest) else f"{255 * gpu.largest:.2g}"
    driver = os.environ.get("VK_ICD_FILENAMES")
    device = f"GPU of {driver}" if driver else "GPU in software (SwiftShader)"
    return [*rows, f"| {title} | {device} | {whole} | {difference} | - | - |"]


def time_tile(file: Path, shape: list[int]) -> float:
    """Returns the median of the seconds that a file takes for one tile on the CPU."""
    engine = LiteRTEngine(file, _THREADS)
    run = partial(engine, {"noisy": np.random.default_rng(0).random(shape, np.float32)})
    return statistics.median(time_in_turns({"tile": lambda: run}, _ROUNDS)["tile"])


def processor() -> str:
    """What the machine calls its processor."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def find_sidecars(folders: list[Path]) -> list[Path]:
    """Finds the files for phones, of which the name begins with `mobile_`."""
    return [path for folder in folders for path in sorted(folder.glob("mobile_*.json"))]


def main(arguments: list[str] | None = None) -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="MODEL_FOLDER")
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    folders = options.folders or sorted(path for path in _MODELS.iterdir() if path.is_dir())
    sidecars = find_sidecars(folders)
    if not sidecars:
        parser.error("no files for phones there; write some by `export --target mobile`")
    rows = [row for sidecar in sidecars for row in measure(sidecar)]
    options.output.write_text(_HEAD + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
