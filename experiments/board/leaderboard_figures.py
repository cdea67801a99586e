"""What a denoiser is worth on all noises of the leaderboard, and where in the images."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common.trials import Context, Trial

from kerasdenoise.evaluation.figures import (
    add_noise,
    bootstrap,
    denoise,
    figures_of,
    psnr_of,
    summarize,
)

_RESAMPLES = 4000

_SIDE = 256
_REPEATS = 5


def measure_all(
    denoiser: Any, trial: Trial, context: Context, noises: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """Measures a network on the noise it was trained for, and its PSNR on all others.

    Returns:
        What `measure_images` does, of its own noise, and `across`: for each noise the PSNR of
        each image.
    """
    clean = trial.load_test(context)
    noisy = add_noise(clean, trial.noise)
    across = {}
    for name, (_, kind) in noises.items():
        other = add_noise(clean, kind)
        across[name] = round_all(psnr_of(clean, denoise(denoiser, other, clean)))
    return {
        **measure_images(clean, denoise(denoiser, noisy, clean)),
        "noisy": summarize(figures_of(clean, noisy)),
        "across": across,
    }


def measure_images(clean: np.ndarray, denoised: np.ndarray) -> dict[str, Any]:
    """Measures images, and by how much borders and busy images are harder.

    Args:
        clean: Float32 (images, height, width, channels) in [0, 1].
        denoised: Of the same shape.

    Returns:
        Means and standard errors of PSNR and SSIM; `psnr_images`, the PSNR of each; `border` and
        `smooth`, the PSNR of the mean squared error over all such pixels; `terciles`, the mean
        PSNR of the images with the least, the middle and the most edginess.
    """
    from kerasdenoise.inference.noise_estimate import edginess

    figures = figures_of(clean, denoised)
    borders, errors = mark_borders(clean), np.square(denoised - clean)
    order = np.argsort([edginess(image) for image in clean])
    return {
        **summarize(figures),
        "images": len(clean),
        "psnr_images": round_all(figures["psnr"]),
        "border": _to_decibel(errors[borders]),
        "smooth": _to_decibel(errors[~borders]),
        "border_share": float(borders.mean()),
        "terciles": [float(figures["psnr"][part].mean()) for part in np.array_split(order, 3)],
    }


def mark_borders(clean: np.ndarray) -> np.ndarray:
    """Marks the pixels that a border classifier learns to find; all channels alike."""
    import keras

    from kerasdenoise.training.tasks.border import find_borders

    return keras.ops.convert_to_numpy(find_borders(clean)) > 0.5


def round_all(values: np.ndarray) -> list[float]:
    """Rounds what is kept of each image."""
    return np.round(values, 3).tolist()


def compare(ours: list[float], theirs: list[float], seed: int = 0) -> tuple[float, float, float]:
    """Compares PSNR image by image: the same images, in the same order.

    Where one was measured on more images, those that both have count.

    Returns:
        The mean difference, and the ends of its 95 % interval by bootstrap over images.
    """
    count = min(len(ours), len(theirs))
    differences = np.subtract(ours[:count], theirs[:count])
    return bootstrap(differences, times=_RESAMPLES, seed=seed)


def _to_decibel(errors: np.ndarray) -> float:
    return float(-10 * np.log10(max(float(errors.mean()), 1e-10)))


def measure_cost(architecture: str, values: dict[str, Any]) -> dict[str, float]:
    """Builds a network with its first weights, and measures its file.

    Returns:
        `parameters`; `mac_per_pixel`; `milliseconds` of processor time for a color image of
        256x256 pixels on one thread, the least of several; `bytes_per_pixel`, by which peak
        memory grows.
    """
    from kerasdenoise.evaluation.costs import time_in_turns
    from kerasdenoise.export.litert import export_litert, measure_footprint
    from kerasdenoise.inference.engines import LiteRTEngine
    from kerasdenoise.models import get_architecture, mac_per_pixel, make_config

    config = make_config(architecture, values)
    network = get_architecture(architecture).build(config)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        export_litert(network, file)
        engine = LiteRTEngine(file, threads=1)
        given = {
            name: np.full((1, _SIDE, _SIDE, shape[-1]), 0.1, np.float32)
            for name, shape in engine.input_shapes.items()
        }
        # Of the process, so that other work on the machine does not count.
        run = partial(engine, given)
        times = time_in_turns({"network": lambda: run}, _REPEATS, clock=time.process_time)
        footprint = measure_footprint(file, config.stride)
    return {
        "parameters": sum(int(np.prod(each.shape)) for each in network.trainable_variables),
        "mac_per_pixel": mac_per_pixel(network, config.stride),
        "milliseconds": 1000 * min(times["network"]),
        "bytes_per_pixel": footprint,
    }
