"""What the LambdaNet paper compares, and what it says of it: Table 2 and Figure 8."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.records import ROOT
from common.trials import Length

PUBLISHED_WEIGHTS = ROOT / "experiments" / "results" / "lambda_net_published_weights.json"

_FALLING = {"warmup_steps": 20, "decay_fraction": 0.6, "ema_momentum": 0.0}


@dataclass(frozen=True)
class Model:
    """A column of Table 2.

    Attributes:
        title: What tables call it.
        architecture: Its name here.
        epochs: Of the paper's training.
        quick: The short training.
        config: Fields of its `Config`.
    """

    title: str
    architecture: str
    epochs: int
    quick: Length
    config: dict[str, Any] = field(default_factory=dict)


QUICK = Length(400, 16, {"learning_rate": 1e-2, **_FALLING}, checkpoints=8)
MODELS = {
    "lambda_23": Model("LambdaNet u=1 m=23", "lambda_net", 50, QUICK, {"preset": "paper"}),
    "lambda_7": Model("LambdaNet u=4 m=7", "lambda_net", 50, QUICK, {"preset": "small_window"}),
    "autoencoder": Model(
        "autoencoder",
        "denoising_autoencoder",
        300,
        Length(1200, 16, {"learning_rate": 5e-3, **_FALLING}, checkpoints=8),
    ),
    "dncnn": Model(
        "DnCNN",
        "dncnn",
        200,
        Length(250, 4, {"learning_rate": 2e-3, **_FALLING}, checkpoints=8),
        {"preset": "direct"},
    ),
}
NOISES = {
    "gaussian_01": ("Gaussian, sigma 0.1", "gaussian:25.5"),
    "gaussian_02": ("Gaussian, sigma 0.2", "gaussian:51"),
    "gaussian_03": ("Gaussian, sigma 0.3", "gaussian:76.5"),
    "speckle": ("speckle, variance 0.1", "speckle:0.1"),
    "salt_and_pepper": ("salt and pepper, 5 %", "salt_and_pepper:0.05"),
}
# Table 2: PSNR in dB and SSIM.
PUBLISHED = {
    "gaussian_01": {
        "lambda_23": (26.88, 0.88),
        "lambda_7": (26.71, 0.88),
        "autoencoder": (26.23, 0.87),
        "dncnn": (26.7, 0.81),
    },
    "gaussian_02": {
        "lambda_23": (23.47, 0.78),
        "autoencoder": (24.38, 0.82),
        "dncnn": (22.79, 0.81),
    },
    "gaussian_03": {
        "lambda_23": (21.67, 0.71),
        "autoencoder": (21.97, 0.71),
        "dncnn": (22.75, 0.76),
    },
    "speckle": {"lambda_23": (24.8, 0.84), "autoencoder": (24.38, 0.82), "dncnn": (26.41, 0.89)},
    "salt_and_pepper": {
        "lambda_23": (31.18, 0.96),
        "autoencoder": (26.28, 0.88),
        "dncnn": (35.66, 0.99),
    },
}
CHANNELS = (8, 16, 32, 64, 128, 256, 512)
# The counts of the published weights of Figure 8.
PUBLISHED_PARAMETERS = {
    8: 8_933,
    16: 9_083,
    32: 9_575,
    64: 11_327,
    128: 17_903,
    256: 43_343,
    512: 143_375,
}
