"""Networks, noises and trainings of the leaderboard."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.trials import Length, Trial

from board.leaderboard_figures import measure_all

NOISES = {
    "gaussian_01": ("Gaussian .1", "gaussian:25.5"),
    "gaussian_02": ("Gaussian .2", "gaussian:51"),
    "gaussian_03": ("Gaussian .3", "gaussian:76.5"),
    "speckle": ("speckle", "speckle:0.1"),
    "salt_and_pepper": ("salt & pepper", "salt_and_pepper:0.05"),
    "poisson": ("Poisson", "poisson:5.5"),
    "blur": ("blur", "blur:5"),
    "inpainting": ("inpainting", "inpainting:0.25"),
}
FIRST = "gaussian_01"
# What noisy targets can teach, by the loss that learns it: that of the mean, or of the median.
NOISE2NOISE = {
    **dict.fromkeys(("gaussian_01", "gaussian_02", "gaussian_03", "poisson"), "l2"),
    **dict.fromkeys(("speckle", "salt_and_pepper"), "l1"),
}

STEPS, BATCH = 240, 8
FULL_STEPS, FULL_BATCH = 20_000, 32
IMAGES = 64
ALL_LEVELS = "gaussian:0-76.5"


@dataclass(frozen=True)
class Entry:
    """A network of the leaderboard.

    Attributes:
        title: What tables call it.
        architecture: What is trained.
        config: Fields of its `Config`.
        learning_rate: Diffusion has few weights, which must move further; the code of the Poisson
            autoencoder falls silent at that of the others.
    """

    title: str
    architecture: str
    config: dict[str, Any] = field(default_factory=dict)
    learning_rate: float = 2e-3


# The cheap ones first, so that a training that is stopped has seen most of them.
NETWORKS = {
    "lambda_7": Entry("LambdaNet, window 7", "lambda_net", {"preset": "small_window"}),
    "diffusion": Entry("Perona-Malik, contrast by image", "perona_malik", learning_rate=1e-2),
    "autoencoder": Entry("denoising autoencoder", "denoising_autoencoder"),
    "strided": Entry("strided autoencoder", "strided_autoencoder"),
    "hourglass": Entry("hourglass D", "hourglass"),
    "reaction": Entry("reaction diffusion", "reaction_diffusion", {"preset": "small"}, 2e-2),
    "lambda_23": Entry("LambdaNet, window 23", "lambda_net", {"preset": "paper"}),
    "unet": Entry("U-Net", "unet", {"preset": "small"}),
    "poisson": Entry("Poisson autoencoder", "poisson_autoencoder", learning_rate=1e-3),
    "p1": Entry("P1 diffusion", "p1_diffusion", learning_rate=1e-2),
    "dncnn": Entry("DnCNN", "dncnn"),
}


@dataclass(frozen=True)
class Fusion(Entry):
    """A network that joins two ideas.

    Attributes:
        noise: What it is trained on.
        rival: The trial without the fusion, of the same training.
        shown: The noises by which both are compared.
        idea: What is tried.
    """

    noise: str = NOISES[FIRST][1]
    rival: str = f"diffusion_{FIRST}"
    shown: tuple[str, ...] = (FIRST,)
    idea: str = ""


_GAUSSIAN = ("gaussian_01", "gaussian_02", "gaussian_03")
FUSIONS = {
    "fusion_lambda": Fusion(
        "lambda layer chooses the contrast",
        "perona_malik",
        {"preset": "pixel"},
        1e-2,
        idea="The lambda layer of LambdaNet chooses the contrast of diffusion, by the whole image "
        "and by what surrounds the pixel: 525 weights in place of the 23,761 of a convolutional "
        "network that chooses one for the image.",
    ),
    "fusion_p1_lambda": Fusion(
        "lambda layer chooses the P1 function",
        "p1_diffusion",
        {"preset": "pixel"},
        1e-2,
        rival=f"p1_{FIRST}",
        idea="The same chooses the values at the knots of a P1 function, for each pixel, in place "
        "of a convolutional network that chooses one function for the image.",
    ),
    "fusion_reaction": Fusion(
        "reaction term, steps of their own",
        "perona_malik",
        {"preset": "global", "reaction": True, "learn_tau": True, "shared": False},
        1e-2,
        idea="Each step pulls back to the noisy image and has its own contrast, length and pull: "
        "30 weights, with one contrast for all images. The rival chooses one for each image, and "
        "all its steps are the same.",
    ),
    "fusion_noise_aware": Fusion(
        "noise sets the number of steps",
        "perona_malik",
        {"preset": "noise_aware"},
        1e-2,
        noise=ALL_LEVELS,
        rival="all_levels",
        shown=_GAUSSIAN,
        idea="One network for all levels is told the true noise, which sets how many of 20 steps "
        "are done. The rival sees the same noisy images, is not told, and always does 10.",
    ),
}
CONTROLS = {
    "all_levels": Fusion(
        "Perona-Malik, contrast by image, all levels",
        "perona_malik",
        {},
        1e-2,
        noise=ALL_LEVELS,
        shown=_GAUSSIAN,
    )
}


def list_trials() -> list[Trial]:
    """Lists all trainings: those of the first noise first, clean targets before noisy ones."""
    trials = [_make(name, entry, FIRST) for name, entry in NETWORKS.items()]
    trials += [
        _train(name, fusion, fusion.noise, fusion.title, {})
        for name, fusion in (CONTROLS | FUSIONS).items()
    ]
    trials += [_make(name, entry, FIRST, is_noisy=True) for name, entry in NETWORKS.items()]
    for noise in NOISES:
        if noise != FIRST:
            trials += [_make(name, entry, noise) for name, entry in NETWORKS.items()]
    for noise in NOISE2NOISE:
        if noise != FIRST:
            trials += [_make(name, entry, noise, is_noisy=True) for name, entry in NETWORKS.items()]
    return trials


def _make(name: str, entry: Entry, noise: str, *, is_noisy: bool = False) -> Trial:
    title, kind = NOISES[noise]
    options = {"objective": "noise2noise", "loss": NOISE2NOISE[noise]} if is_noisy else {}
    return _train(
        f"{name}_{noise}{'_noise2noise' if is_noisy else ''}",
        entry,
        kind,
        f"{entry.title}, {title}{', noisy targets' if is_noisy else ''}",
        options,
    )


def _train(name: str, entry: Entry, noise: str, title: str, options: dict[str, Any]) -> Trial:
    rate = {"learning_rate": entry.learning_rate}
    short = {"warmup_steps": 10, "decay_fraction": 0.5, "ema_momentum": 0.9}
    return Trial(
        name=name,
        title=title,
        architecture=entry.architecture,
        noise=noise,
        quick=Length(STEPS, BATCH, rate | short | options, checkpoints=1),
        full=Length(FULL_STEPS, FULL_BATCH, rate | options, checkpoints=20),
        config=entry.config,
        images=IMAGES,
        measure=lambda denoiser, trial, context: measure_all(denoiser, trial, context, NOISES),
    )
