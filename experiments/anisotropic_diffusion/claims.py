"""The claims of the slides on learned anisotropic diffusion, each tested image by image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.trials import Context
from scipy.stats import spearmanr

from anisotropic_diffusion.diffusion_charts import draw_edginess
from anisotropic_diffusion.trials import NOISES, PARTITIONED, find_photos
from kerasdenoise.evaluation import figures
from kerasdenoise.evaluation.figures import add_noise
from kerasdenoise.inference.noise_estimate import edginess

# What the slides call no big difference, in dB, and flat, as a share: they say no number.
BIG, FLAT = 0.5, 0.05
RESAMPLES = 10_000
_SEED = 20261126

CLAIMS = {
    "networks": "Networks beat classical diffusion, but for salt and pepper.",
    "exception": "They do not with salt and pepper.",
    "functions": f"Functions 1 and 2 differ little (here: less than {BIG} dB).",
    "p1_small": "P1 beats classical diffusion where noise is weak.",
    "p1_large": "P1 loses where noise is strong.",
    "p1_exception": "P1 loses with salt and pepper.",
    "finer": "A finer partition fits better (20 pieces, not 2).",
    "finer_depends": "How much finer pieces give depends on the noise.",
    "edginess_up": "Edginess rises with Gaussian, Poisson and salt-and-pepper noise.",
    "edginess_down": "Edginess falls with blur.",
    "edginess_flat": f"Edginess stays with inpainting (here: within {FLAT:.0%}).",
    "edginess_psnr": "The larger the edginess, the lower the PSNR.",
    "two_contrasts": f"Two contrasts are as good as one (here: within {BIG} dB).",
    "two_p1": "Two P1 functions have a better SSIM, but not significantly.",
}


@dataclass(frozen=True)
class Finding:
    """A claim under one noise.

    Attributes:
        claim: Its key in `CLAIMS`.
        noise: Key of the noise, or several.
        unit: What the values are.
        value: The mean difference, or what the claim is about.
        low: Lower end of its 95 % interval.
        high: Upper end.
        held: Whether the whole interval says so.
    """

    claim: str
    noise: str
    unit: str
    value: float
    low: float
    high: float
    held: bool


def bootstrap(
    values: np.ndarray, statistic: Callable[[np.ndarray], float] = np.mean, times: int = RESAMPLES
) -> tuple[float, float, float]:
    """See `figures.bootstrap`; all claims draw the same images."""
    return figures.bootstrap(values, statistic, times=times, seed=_SEED)


def rank_correlation(pairs: np.ndarray) -> float:
    """Spearman's rank correlation of two rows of values, (2, levels, images)."""
    return float(spearmanr(*(row.ravel() for row in pairs)).statistic)  # pyright: ignore


def measure_edginess(context: Context, folder: Path) -> dict[str, Any]:
    """Measures the edginess of noisy images as a multiple of the clean ones'."""
    clean = find_photos(context.root).load_test(None if context.is_full else 20)
    base = np.array([edginess(image) for image in clean])
    ratios, sums = {}, {}
    for name, noise in NOISES.items():
        noisy = [add_noise(clean, noise.at(level)) for level in noise.levels]
        values = np.array([[edginess(image) for image in images] for images in noisy])
        sums[name], ratios[name] = values, values / base
    np.savez(folder / "images.npz", **sums, clean=base)
    return {
        "images": len(clean),
        "ratio_levels": {name: each.mean(axis=1).tolist() for name, each in ratios.items()},
    }


def check_claims(context: Context, folder: Path) -> dict[str, Any]:
    """Holds every claim against the images that all networks were measured on.

    Draws the PSNR of each denoised image against the edginess of the noisy one.
    """
    measured = _Measured(context)
    findings = [asdict(each) for each in _find(measured)]
    points = {}
    for noise in NOISES:
        ratio = measured("edginess", noise) / measured("edginess", "clean")
        points[noise] = (ratio, measured(f"function_1_{noise}"))
    draw_edginess(points, folder / "edginess.png")
    return {"findings": findings, "gains": _compare_borders(measured), "resamples": RESAMPLES}


def _compare_borders(measured: _Measured) -> dict[str, Any]:
    """What borders that are told apart add: value and interval by network, figure and noise."""
    gains: dict[str, Any] = {}
    for name in ("function_1", "p1"):
        for figure in ("psnr", "ssim"):
            gains[f"{name} {figure}"] = {
                noise: bootstrap(measured.compare(f"{name}_border", name, noise, figure).mean(0))
                for noise in NOISES
                if measured.has(f"{name}_border_{noise}")
            }
    return gains


class _Measured:
    """Figures of each image, (levels, images), of trainings that were measured."""

    def __init__(self, context: Context) -> None:
        self._runs = context.runs

    def __call__(self, trial: str, figure: str = "psnr") -> np.ndarray:
        with np.load(self._file(trial)) as archive:
            return archive[figure]

    def has(self, trial: str) -> bool:
        """Whether a trial was measured."""
        return self._file(trial).exists()

    def compare(self, one: str, other: str, noise: str, figure: str = "psnr") -> np.ndarray:
        """What one network is above another under a noise."""
        return self(f"{one}_{noise}", figure) - self(f"{other}_{noise}", figure)

    def _file(self, trial: str) -> Path:
        return self._runs / trial / "images.npz"


def _find(measured: _Measured) -> Iterator[Finding]:
    for noise in NOISES:
        gain = measured.compare("function_1", "classical", noise).mean(axis=0)
        p1 = measured.compare("p1", "classical", noise)
        if noise == "salt_and_pepper":
            yield _hold("exception", noise, "dB", bootstrap(gain), _is_not_above)
            yield _hold("p1_exception", noise, "dB", bootstrap(p1.mean(axis=0)), _is_below)
        else:
            yield _hold("networks", noise, "dB", bootstrap(gain), _is_above)
            yield _hold("p1_small", noise, "dB", bootstrap(p1[0]), _is_above)
            yield _hold("p1_large", noise, "dB", bootstrap(p1[-1]), _is_below)
        functions = measured.compare("function_1", "function_2", noise).mean(axis=0)
        yield _hold("functions", noise, "dB", bootstrap(functions), _is_small)
        two = measured.compare("function_1_border", "function_1", noise).mean(axis=0)
        yield _hold("two_contrasts", noise, "dB", bootstrap(two), _is_small)
        if measured.has(f"p1_border_{noise}"):
            two = measured.compare("p1_border", "p1", noise, "ssim").mean(axis=0)
            yield _hold("two_p1", noise, "SSIM", bootstrap(two), _is_above_by_chance)
        yield from _find_edginess(measured, noise)
    finer = {noise: measured.compare("p1", "p1_2", noise).mean(axis=0) for noise in PARTITIONED}
    for noise, values in finer.items():
        yield _hold("finer", noise, "dB", bootstrap(values), _is_above)
    one, other = finer.values()
    yield _hold("finer_depends", " - ".join(finer), "dB", bootstrap(one - other), _is_not_zero)


def _find_edginess(measured: _Measured, noise: str) -> Iterator[Finding]:
    values, clean = measured("edginess", noise), measured("edginess", "clean")
    change = bootstrap((values[-1] - values[0]) / clean)
    claims = {"blur": ("down", _is_below), "inpainting": ("flat", _is_flat)}
    claim, holds = claims.get(noise, ("up", _is_above))
    yield _hold(f"edginess_{claim}", noise, "of clean", change, holds)
    pairs = np.stack([values, measured(f"function_1_{noise}")])
    correlation = bootstrap(pairs, rank_correlation, times=RESAMPLES // 10)
    yield _hold("edginess_psnr", noise, "correlation", correlation, _is_below)


Interval = tuple[float, float, float]


def _hold(
    claim: str, noise: str, unit: str, found: Interval, holds: Callable[[Interval], bool]
) -> Finding:
    return Finding(claim, noise, unit, *found, holds(found))


def _is_above(found: Interval) -> bool:
    return found[1] > 0


def _is_below(found: Interval) -> bool:
    return found[2] < 0


def _is_not_above(found: Interval) -> bool:
    return found[1] <= 0


def _is_not_zero(found: Interval) -> bool:
    return _is_above(found) or _is_below(found)


def _is_above_by_chance(found: Interval) -> bool:
    return found[1] <= 0 < found[0]


def _is_small(found: Interval) -> bool:
    return found[1] > -BIG and found[2] < BIG


def _is_flat(found: Interval) -> bool:
    return found[1] > -FLAT and found[2] < FLAT
