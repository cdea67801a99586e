"""The LambdaNet paper: Table 2 and Figures 8 to 10, done again.

    python cli.py reproduce lambda_net --quick

A student paper denoises images of CIFAR-10 by a lambda layer and two small convolutions, and
compares it with a denoising autoencoder and DnCNN under five kinds of noise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from common.data import Data, pack_photos
from common.paper import Paper, Study
from common.records import ROOT
from common.trials import Context, Length, Trial
from lambda_net.lambda_net_page import (
    CHANNELS,
    FIRST,
    FUTURE,
    MODELS,
    NOISES,
    QUICK,
    write_sections,
)

from kerasdenoise.evaluation.figures import add_noise, denoise, figures_of
from kerasdenoise.evaluation.pages import draw_images

EPOCH = 195  # steps in an epoch of all of CIFAR-10, in batches of 256
# A photo with smooth and fine parts, free of rights (CC0), and one that is always there.
PHOTOS = ("train/gb82/dog-lossless.webp", ROOT / "docs" / "images" / "sample_clean.png")
SIDE, ZOOM = 512, 96
# What is trained on before CIFAR-10, and measured: photos, of which patches of 32x32 are taken.
OTHER = {"train": ("train/gb82", "train/clic2025"), "test": ("test/kodak24",)}


def train_as_published(epochs: int) -> Length:
    """The paper's Table 1, for so many epochs."""
    options = {
        "schedule": "exponential",
        "decay_steps": EPOCH,
        "decay_rate": 0.99,
        "weight_decay": 1e-5,
        "ema_momentum": 0.0,
        "global_clipnorm": 0.0,
        "beta_2": 0.999,
    }
    return Length(epochs * EPOCH, 256, options, checkpoints=epochs)


def list_trials() -> list[Trial]:
    """Lists Table 2, which Figures 9 and 10 are drawn from, and Figure 8."""
    trials = [
        Trial(
            name=f"{model}_{noise}",
            title=f"{MODELS[model].title}, {NOISES[noise][0]}",
            architecture=MODELS[model].architecture,
            noise=NOISES[noise][1],
            quick=MODELS[model].quick,
            full=train_as_published(MODELS[model].epochs),
            config=MODELS[model].config,
        )
        for noise in NOISES
        for model in MODELS
    ]
    for channels in CHANNELS:
        trials.append(
            Trial(
                name=f"channels_{channels}",
                title=f"LambdaNet, d = {channels}",
                architecture="lambda_net",
                noise=NOISES["gaussian_01"][1],
                # The arithmetic grows with the channels: 32 times as much at 512 as at 16.
                quick=QUICK if channels <= 128 else None,
                full=train_as_published(25),
                config={"preset": "paper", "out_channels": channels},
            )
        )
    return trials


def list_future() -> list[Trial]:
    """Lists what the paper leaves to future work."""

    def make(name: str, title: str, config: dict[str, Any], **settings: Any) -> Trial:
        return Trial(
            name=name,
            title=f"LambdaNet, {title}",
            architecture="lambda_net",
            noise=NOISES["gaussian_01"][1],
            quick=QUICK,
            full=train_as_published(50),
            config={"preset": "paper", **config},
            **settings,
        )

    return [
        make(FIRST, "photos", {}, data=find_photos),
        *(
            make(name, title, config, initial=FIRST if name == "transferred" else "")
            for name, (title, config) in FUTURE.items()
        ),
    ]


def find_photos(root: Path) -> Data:
    """Finds another data set than CIFAR-10: photos, 256x256 pixels out of their middle.

    Args:
        root: The data folder.
    """
    if not all((root / folder).is_dir() for each in OTHER.values() for folder in each):
        return Data(root, OTHER["train"][0], OTHER["test"], "photos: none found")
    archive = pack_photos("color_photos", root, OTHER, (256, 256), 3)
    note = f"photos of {', '.join(OTHER['train'])}, tested on {', '.join(OTHER['test'])}"
    return Data(Path(), f"{archive}:train", (f"{archive}:test",), note)


def count_costs(context: Context, folder: Path) -> dict[str, Any]:
    """Builds every network, and counts its weights and its arithmetic."""
    from kerasdenoise.models import get_architecture, mac_per_pixel, make_config

    costs = {}
    builds = {name: (model.architecture, model.config) for name, model in MODELS.items()}
    for channels in CHANNELS:
        config = {"preset": "paper", "out_channels": channels}
        builds[f"channels_{channels}"] = ("lambda_net", config)
    for name, (architecture, values) in builds.items():
        config = make_config(architecture, values)
        network = get_architecture(architecture).build(config)
        costs[name] = {
            "parameters": sum(int(np.prod(each.shape)) for each in network.trainable_variables),
            "mac_per_pixel": mac_per_pixel(network, config.stride),
        }
    return costs


def denoise_photo(context: Context, folder: Path) -> dict[str, Any]:
    """Denoises one photo of 512x512 pixels by all four networks, and draws whole and zoom."""
    from kerasdenoise.images.read import read_image
    from kerasdenoise.inference.noise_estimate import edginess

    file = next(path for path in (context.root / each for each in PHOTOS) if path.exists())
    pixels = read_image(file).pixels
    # Sides that the autoencoder can take.
    height, width = (min(side, SIDE) // 8 * 8 for side in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    clean = pixels[np.newaxis, top : top + height, left : left + width]
    noise = NOISES["gaussian_01"][1]
    noisy = add_noise(clean, noise)
    shown = {"clean": clean, "noisy": noisy}
    for model in MODELS:
        network = context.load(f"{model}_gaussian_01")
        shown[model] = denoise(network, noisy, clean, batch=1)
    figures: dict[str, Any] = {"photo": file.name, "height": height, "width": width}
    titles = []
    for name, image in shown.items():
        values = {key: float(each[0]) for key, each in figures_of(clean, image).items()}
        values["edginess"] = edginess(image[0]) / edginess(clean[0])
        title = MODELS[name].title if name in MODELS else name
        titles.append(title if name == "clean" else f"{title}, {values['psnr']:.2f} dB")
        if name != "clean":
            figures[name] = values
    images = [image[0] for image in shown.values()]
    down, right = max(0, height // 2 - ZOOM), max(0, width // 3 - ZOOM // 2)
    zooms = [image[down : down + ZOOM, right : right + ZOOM] for image in images]
    draw_images([images, zooms], [titles, [""] * len(titles)], folder / "photo.png", side=1.9)
    return figures


PAPER = Paper(
    name="lambda_net",
    title="Image denoising using LambdaNetworks (student paper)",
    redoes="Table 2 (five kinds of noise, four networks) and its errors; Figures 8 (channels), 9 "
    "(convergence) and 10 (a photo); its future work (k, layer normalization, a second shortcut, "
    "transfer).",
    trials=[*list_trials(), *list_future()],
    write_sections=write_sections,
    studies=(
        Study("costs", "weights and arithmetic", count_costs),
        Study(
            "photo",
            "a photo of 512x512 pixels",
            denoise_photo,
            needs=tuple(f"{model}_gaussian_01" for model in MODELS),
        ),
    ),
)
