"""Noises, networks and trainings of the slides on learned anisotropic diffusion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.data import Data, pack_photos
from common.trials import Context, Length, Trial

from anisotropic_diffusion.maps import (
    mean_contrasts,
    mean_function,
    save_maps,
)
from kerasdenoise.evaluation.figures import add_noise, denoise, figures_of, mean_with_error

TRAIN = "train/bsd432"
# BSD68 in gray, and color photos in gray for the rest of 100.
TEST = ("test/bsd68_gray", "test/kodak24", "test/mcmaster")
TEST_IMAGES = 100
PATCH, SIDE = 64, 96
# Photos that progress is measured on, in percent of those for training.
PROGRESS = 3


@dataclass(frozen=True)
class Corruption:
    """One of the five corruptions of the slides.

    Attributes:
        title: What tables call it.
        kind: Its name here.
        levels: What it is measured at; networks are trained on all between.
        unit: Of the levels.
        shown: The level that the slides show, "variance" there.
        contrasts: The two contrasts on the slides: at borders and elsewhere, 0 to 255.
    """

    title: str
    kind: str
    levels: tuple[float, ...]
    unit: str
    shown: float
    contrasts: tuple[float, float]

    @property
    def trained(self) -> str:
        """All levels, for the training."""
        return f"{self.kind}:{self.levels[0]:g}-{self.levels[-1]:g}"

    def at(self, level: float) -> str:
        """The corruption of one level."""
        return f"{self.kind}:{level:g}"


NOISES = {
    "gaussian": Corruption(
        "Gaussian", "gaussian", (5, 10, 25, 50), "sigma of 255", 10.0, (46.968, 191.207)
    ),
    "poisson": Corruption(
        "Poisson", "poisson", (1, 5.5, 15, 30), "gray levels a photon", 5.5, (41.502, 101.141)
    ),
    "salt_and_pepper": Corruption(
        "salt and pepper",
        "salt_and_pepper",
        (0.05, 0.1, 0.2, 0.35),
        "share of pixels lost",
        0.35,
        (3.217, 157.825),
    ),
    "blur": Corruption("blur", "blur", (3, 5, 9, 15), "width in pixels", 9.0, (5.757, 50.071)),
    "inpainting": Corruption(
        "inpainting",
        "inpainting",
        (0.1, 0.25, 0.5, 0.75),
        "share of each side",
        0.5,
        (18.805, 52.246),
    ),
}

# What is drawn in curves, and compared by the claims.
NETWORKS = {
    "classical": "classical, one contrast for all",
    "function_1": "network chooses the contrast, function 1",
    "function_2": "network chooses the contrast, function 2",
    "p1": "P1 function of 20 pieces",
}
BORDERED = {
    "function_1_border": "two contrasts, by borders",
    "p1_border": "two P1 functions, by borders",
}
PARTITIONED = ("gaussian", "blur")
# What the slides doubt, or take for unnecessary.
SHAPED: dict[str, tuple[str, dict[str, Any]]] = {
    "falling": ("P1 function that only falls", {"monotone": True}),
    "spline_2": ("spline of degree 2", {"degree": 2}),
    "spline_3": ("spline of degree 3", {"degree": 3}),
}
PIECES = (2, 5, 10, 20, 40)
QUICK_PIECES = (2, 5, 20)

# The slides do not say how long they trained.
FULL_STEPS, FULL_BATCH = 20_000, 16
_QUICK = {"learning_rate": 5e-3, "warmup_steps": 10, "decay_fraction": 0.5, "ema_momentum": 0.9}


def find_photos(root: Path) -> Data:
    """Finds the photos: those of BSDS500 that are not in BSD68 to train with, and 100 to test.

    Args:
        root: The data folder.
    """
    if not (root / TRAIN).is_dir():
        return Data(root, TRAIN, (TEST[0],), "photos: none found", channels=1)
    sources = {"train": [TRAIN], "test": TEST}
    archive = pack_photos("gray_photos", root, sources, (320, 480), 1)
    return Data(
        Path(),
        f"{archive}:train",
        (f"{archive}:test[:{TEST_IMAGES}]",),
        "gray photos: 432 of BSDS500 to train with, 100 of BSD68, Kodak and McMaster to test, "
        f"{SIDE}x{SIDE} pixels out of their middle",
        first=PROGRESS,
        patch=PATCH,
        crop=SIDE,
        channels=1,
    )


def measure_levels(network: Any, trial: Trial, context: Context) -> dict[str, Any]:
    """Measures a diffusion at each noise level, and keeps the figures of each image.

    What the claims compare image by image lies in the run's folder, as do the maps that
    pictures are drawn of.
    """
    noise = NOISES[_noise_of(trial.name)]
    clean = trial.load_test(context)
    shape = (len(noise.levels), len(clean))
    names = ("psnr", "ssim", "noisy_psnr", "noisy_ssim")
    values: dict[str, Any] = {name: np.empty(shape) for name in names}
    contrasts = []
    for row, level in enumerate(noise.levels):
        noisy = add_noise(clean, noise.at(level))
        denoised = denoise(network, noisy, clean)
        contrasts.append(mean_contrasts(network, noisy))
        for prefix, images in (("noisy_", np.clip(noisy, 0, 1)), ("", denoised)):
            figures = figures_of(clean, images)
            for name in ("psnr", "ssim"):
                values[f"{prefix}{name}"][row] = figures[name]
    run = context.runs / trial.name
    np.savez(run / "images.npz", **values)
    save_maps(network, noise.at(noise.shown), context, run / "maps.npz")
    summary: dict[str, Any] = {"levels": list(noise.levels), "images": len(clean)}
    for name, each in values.items():
        summary[f"{name}_levels"] = np.round(each.mean(axis=1), 4).tolist()
    for name in ("psnr", "ssim"):
        summary[name], summary[f"{name}_error"] = mean_with_error(values[name].mean(axis=0))
    summary["noisy"] = {name: float(values[f"noisy_{name}"].mean()) for name in ("psnr", "ssim")}
    if contrasts[0] is not None:
        summary["contrast_levels"] = contrasts
    function = mean_function(network, add_noise(clean, noise.at(noise.shown)))
    if function is not None:
        summary["function"] = function
    return summary


def measure_borders(network: Any, trial: Trial, context: Context) -> dict[str, Any]:
    """Measures how many borders are found, and how many that are found are borders."""
    import keras

    from kerasdenoise.training.tasks.border import find_borders

    noise = NOISES[_noise_of(trial.name)]
    clean = trial.load_test(context)
    truth = keras.ops.convert_to_numpy(find_borders(clean)) > 0.5
    precision, recall, f1 = [], [], []
    for level in noise.levels:
        found = denoise(network, add_noise(clean, noise.at(level)), clean) > 0.5
        hits = float((found & truth).sum())
        precision.append(hits / max(1.0, float(found.sum())))
        recall.append(hits / max(1.0, float(truth.sum())))
        f1.append(2 * hits / max(1.0, float(found.sum() + truth.sum())))
    return {
        "levels": list(noise.levels),
        "images": len(clean),
        "share": float(truth.mean()),
        "precision_levels": precision,
        "recall_levels": recall,
        "f1_levels": f1,
        "f1": float(np.mean(f1)),
    }


def _noise_of(trial: str) -> str:
    return next(name for name in NOISES if trial.endswith(f"_{name}"))


def list_trials() -> list[Trial]:
    """Lists all trainings: those that take longest last, classifiers before what has them."""
    trials = [
        _make("classical", noise, "perona_malik", {"preset": "classical"}, 6, _search(), full=200)
        for noise in NOISES
    ]
    for name, preset in (("function_1", "image"), ("function_2", "image_rational")):
        trials += [_make(name, noise, "perona_malik", {"preset": preset}, 150) for noise in NOISES]
    trials += [_make("p1", noise, "p1_diffusion", {"preset": "paper"}, 100) for noise in NOISES]
    for noise in PARTITIONED:
        for pieces in PIECES:
            if pieces != 20:  # that is `p1` itself
                steps = 100 if pieces in QUICK_PIECES else None
                config = {"preset": "paper", "pieces": pieces}
                trials.append(_make(f"p1_{pieces}", noise, "p1_diffusion", config, steps))
    for noise in PARTITIONED:
        for name, (_, config) in SHAPED.items():
            trials.append(_make(name, noise, "p1_diffusion", {"preset": "paper", **config}, 100))
    options = {"objective": "border", "loss": "balanced_bce"}
    trials += [
        _make("borders", noise, "border_unet", {}, 100, options, measure=measure_borders)
        for noise in NOISES
    ]
    for name, architecture in (
        ("function_1_border", "perona_malik"),
        ("p1_border", "p1_diffusion"),
    ):
        for noise in NOISES:
            parts = {"border": f"borders_{noise}"}
            trials.append(_make(name, noise, architecture, {"preset": "border"}, 100, parts=parts))
    return trials


def _search() -> dict[str, Any]:
    return {"objective": "mean_optimal"}


def _make(
    name: str,
    noise: str,
    architecture: str,
    config: dict[str, Any],
    steps: int | None,
    options: dict[str, Any] | None = None,
    full: int = FULL_STEPS,
    **settings: Any,
) -> Trial:
    titles = {**NETWORKS, **BORDERED, "borders": "border classifier"}
    titles |= {key: title for key, (title, _) in SHAPED.items()}
    title = titles.get(name, f"P1 function of {name.removeprefix('p1_')} pieces")
    options = options or {}
    return Trial(
        name=f"{name}_{noise}",
        title=f"{title}, {NOISES[noise].title}",
        architecture=architecture,
        noise=NOISES[noise].trained,
        quick=Length(steps, 8, {**_QUICK, **options}, checkpoints=1) if steps else None,
        full=Length(full, FULL_BATCH, options, checkpoints=20),
        config={"channels": 1, **config},
        images=20,
        data=find_photos,
        **{"measure": measure_levels, **settings},
    )
