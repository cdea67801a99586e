"""One trial: a training run of its own, and what is measured of its network."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import KerasDenoiseError, ModelError
from kerasdenoise.evaluation.timing import time_in_turns
from kerasdenoise.export.litert import export_litert
from kerasdenoise.files import new_folder, write_file
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.models import mac_per_pixel
from kerasdenoise.plain_json import read_json, write_json
from kerasdenoise.training.log import read_log
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import Progress, train
from kerasdenoise.training.validation import Validation

RESULT, RECIPE, RUN = "result.json", "recipe.toml", "run"

# The picture whose time is taken, as often as needed for its median.
_SIDE, _TIMES = 256, 5


class TrialError(KerasDenoiseError):
    """A trial that came to nothing, which is no reason to end the search."""


def run_trial(
    folder: Path,
    recipe_text: str,
    share: float = 1.0,
    earlier: Path | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> dict[str, Any]:
    """Trains and measures; what a killed process left is gone on with.

    Args:
        folder: The trial's folder, where `recipe.toml`, `run` and `result.json` are written.
        recipe_text: The recipe.
        share: The part of its steps that is done.
        earlier: The folder of a trial with the same recipe that did fewer of them.
        report: Called at each checkpoint.

    Returns:
        `psnr` and `ssim`, means over images and noises; `noises`, the PSNR of each; `noisy`, the
        mean PSNR of what was denoised, None where that is not to become clean; `parameters`;
        `mac_per_pixel`; `latency`, LiteRT's milliseconds for a megapixel on one core, or None
        where it cannot run; `steps` done; `seconds` of training and measuring.

    Raises:
        TrialError: If the training leaves the numbers that can be measured.
        KerasDenoiseError: If the recipe builds nothing.
    """
    if (folder / RESULT).is_file():
        return read_json(folder / RESULT)
    keras.backend.clear_session()
    recipe = parse_recipe(recipe_text, str(folder / RECIPE))
    write_file(folder / RECIPE, recipe_text)
    run = folder / RUN
    if earlier is not None and not run.exists():
        _copy(earlier / RUN, run)
    stop = max(1, round(share * recipe.optimization.steps))
    train(recipe, run, Path(recipe.data.root), stop_at=stop, report=report)
    trained = time.monotonic()
    log = read_log(run, stop)
    noises, noisy = log[-1]["psnr"], log[-1].get("noisy")
    _, denoiser = load_run(run)
    result = {
        "psnr": statistics.mean(noises.values()),
        "ssim": Validation(recipe, Path(recipe.data.root)).measure_ssim(denoiser),
        "noises": noises,
        "noisy": statistics.mean(noisy.values()) if noisy else None,
        "parameters": denoiser.count_params(),
        **_measure_cost(denoiser, recipe.model.config),
        "steps": stop,
    }
    result["seconds"] = sum(entry["seconds"] for entry in log) + time.monotonic() - trained
    if not np.isfinite([result["psnr"], result["ssim"]]).all():
        raise TrialError(folder, "gives pixels that are no numbers")
    write_json(folder / RESULT, result)
    return result


def _measure_cost(denoiser: keras.Model, config: Any) -> dict[str, Any]:
    return {
        "mac_per_pixel": mac_per_pixel(denoiser, config.stride),
        "latency": _measure_latency(denoiser, config.stride),
    }


def _measure_latency(denoiser: keras.Model, stride: int) -> float | None:
    side = -(-_SIDE // stride) * stride
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        try:
            export_litert(denoiser, path)
            engine = LiteRTEngine(path, threads=1)
        except ModelError:
            return None
        inputs = {
            name: np.full([side if size < 0 else size for size in shape], 0.5, np.float32)
            for name, shape in engine.input_shapes.items()
        }
        run = partial(engine, inputs)
        seconds = time_in_turns({"tile": lambda: run}, _TIMES)["tile"]
    return 1e9 * statistics.median(seconds) / side**2


def _copy(source: Path, target: Path) -> None:
    """Copies a run in one move: what a killed process leaves of it is no run."""
    with new_folder(target, option="--study") as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
