"""Pictures of what diffusions do where: coefficients, borders, contrasts of a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from common.trials import Context

from anisotropic_diffusion.maps import describe_contrast, spread_contrasts
from anisotropic_diffusion.trials import NOISES
from kerasdenoise.evaluation.pages import draw_images

COEFFICIENTS = {
    "classical": "classical",
    "function_1": "function 1",
    "function_2": "function 2",
    "p1": "P1 function",
}
_SIDE = 1.75


def draw_coefficients(context: Context, folder: Path) -> dict[str, Any]:
    """Draws the coefficient of the first step under each noise; white is where it diffuses."""
    from kerasdenoise.metrics import psnr

    rows, titles, figures = [], [], {}
    for key, noise in NOISES.items():
        maps = {name: _read(context, f"{name}_{key}") for name in COEFFICIENTS}
        first, best = maps["classical"], maps["p1"]
        decibels = {
            name: psnr(first["clean"][0], each["denoised"][0]) for name, each in maps.items()
        }
        before = psnr(first["clean"][0], np.clip(first["noisy"][0], 0, 1))
        rows.append(
            [
                first["noisy"][0],
                *[each["coefficient"][0] for each in maps.values()],
                best["denoised"][0],
            ]
        )
        titles.append(
            [
                f"{noise.title} {noise.shown:g}, {before:.1f} dB",
                *[f"{COEFFICIENTS[name]}, {value:.1f} dB" for name, value in decibels.items()],
                "denoised by the P1 function",
            ]
        )
        figures[key] = {"noisy": before, **decibels}
    draw_images(rows, titles, folder / "coefficients.png", side=_SIDE)
    return figures


def draw_borders(context: Context, folder: Path) -> dict[str, Any]:
    """Draws where borders are, where they were found, and which contrast each pixel has."""
    import keras

    from kerasdenoise.training.tasks.border import find_borders

    rows, titles, figures = [], [], {}
    for key, noise in NOISES.items():
        maps = _read(context, f"function_1_border_{key}")
        contrasts = np.sort(maps["contrasts"], axis=-1)
        shown = np.minimum(contrasts, 1)
        small, large = (float(255 * each) for each in contrasts.ravel())
        spread = spread_contrasts(shown, maps["border"]) / shown.max()
        truth = keras.ops.convert_to_numpy(find_borders(maps["clean"]))
        rows.append(
            [
                maps["noisy"][0],
                truth[0],
                maps["border"][0],
                spread[0],
                maps["denoised"][0],
            ]
        )
        titles.append(
            [
                f"{noise.title} {noise.shown:g}",
                "borders of the clean photo",
                "probability of a border",
                f"contrasts {describe_contrast(small)}, {describe_contrast(large)}",
                "denoised with both",
            ]
        )
        figures[key] = {"border": small, "elsewhere": large}
    draw_images(rows, titles, folder / "borders.png", side=_SIDE)
    return figures


def _read(context: Context, trial: str) -> dict[str, np.ndarray]:
    with np.load(context.runs / trial / "maps.npz") as archive:
        return dict(archive)
