"""The Poisson autoencoder: faces, a code of 27 numbers, and what Poisson noise may mean.

    python cli.py reproduce poisson_autoencoder --quick

A student paper denoises faces of FFHQ, 128x128 pixels, by an autoencoder with a code of 3x3x3
numbers, and reports 35 dB and more.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from common.data import Data, pack_photos
from common.paper import Paper, Study
from common.records import MISSING, ROOT, Record, cell, picture
from common.trials import Context, Length, Trial, read_log
from PIL import Image

from kerasdenoise.evaluation.figures import SEED, add_noise, denoise, figures_of, summarize
from kerasdenoise.evaluation.pages import draw_bars, draw_images, draw_lines, table

NAME = "poisson_autoencoder"
FACES = "faces/utkface128"
# A code of 3x3 needs multiples of 40 pixels, which 128 is not.
SIDE = 120
# Out of 1,200 faces: the paper's shares, and of its training images a few to follow progress.
TRAIN, PROGRESS = 80, 4
SEEN = 912
# 25 epochs of 56,000 faces in batches of 16.
BATCH, STEPS = 16, 25 * 56_000 // 16
PUBLISHED = 35.0

READINGS = {
    "additive": ("I + P as it is written", "poisson:additive"),
    "halved": ("(I + P) / 2", "poisson:halved"),
    "shot": ("P alone", "poisson:shot:255"),
}
NETWORKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "literal": ("code 3x3x3, as written", "poisson_autoencoder", {"preset": "paper"}),
    "wide": ("code 30x30x3", "poisson_autoencoder", {"preset": "32x32"}),
    "autoencoder": ("autoencoder of the LambdaNet paper", "denoising_autoencoder", {}),
    "dncnn": ("DnCNN", "dncnn", {}),
}
# Models of this package, trained on photos with a camera's noise; the paper, too, compares with
# networks that others trained.
SHIPPED = ("photo_tiny", "photo")
CODES = {"3x3x3": 3, "30x30x3": 30, "60x60x3": 60}

_CONSTANT = {
    "warmup_steps": 0,
    "decay_fraction": 0.0,
    "ema_momentum": 0.0,
    "global_clipnorm": 0.0,
    "beta_2": 0.999,
}
# A higher rate leaves numbers of the code at zero for good, as its ReLU then has no gradient.
QUICK = Length(
    152,
    8,
    {"learning_rate": 1.5e-3, "warmup_steps": 10, "decay_fraction": 0.5, "ema_momentum": 0.9},
    checkpoints=4,
)
FULL = Length(STEPS, BATCH, {"learning_rate": 1e-3, **_CONSTANT}, checkpoints=50)


def find_faces(root: Path) -> Data:
    """Finds the faces, and splits them 80 to 20 as the paper does its own.

    Args:
        root: The data folder.
    """
    train = test = FACES
    note = "faces: none found"
    if (root / FACES).is_dir():
        archive = pack_photos("faces", root, {"faces": [FACES]}, (128, 128), 3)
        root = Path()  # which the archive is relative to
        train, test = f"{archive}:faces[:{TRAIN}%]", f"{archive}:faces[{TRAIN}%:]"
        note = "1,200 faces of UTKFace, for want of FFHQ's 70,000; 960 to train with, 240 to test"
    return _Faces(root, train, (test,), note, patch=SIDE, crop=SIDE)


class _Faces(Data):
    """Faces of which the last are the test's, so that training ends before them."""

    def part(self, percent: int = 100) -> str:
        return self.train.replace("[:", f"[{PROGRESS}%:")

    @property
    def validation(self) -> str:
        return self.train.replace(f":{TRAIN}%]", f":{PROGRESS}%]")


def measure(denoiser: Any, trial: Trial, context: Context) -> dict[str, Any]:
    """Measures PSNR, SSIM and squared error on test faces, PSNR on faces of the training."""
    clean = trial.load_test(context)
    noisy = add_noise(clean, trial.noise)
    denoised = denoise(denoiser, noisy, clean)
    data = trial.data(context.root)
    seen = Data(data.root, "", (data.part(),), "", crop=SIDE).load_test(len(clean))
    again = denoise(denoiser, add_noise(seen, trial.noise, SEED + 1), seen)
    return {
        **summarize(figures_of(clean, denoised)),
        "mse": float(np.square(denoised - clean).mean()),
        "noisy": summarize(figures_of(clean, noisy)),
        "noisy_clipped": summarize(figures_of(clean, np.clip(noisy, 0, 1))),
        "training": summarize(figures_of(seen, again)),
        # Under L2 the mean loss since the last checkpoint is a squared error.
        "mse_curve": [
            [entry["step"], entry["loss"]] for entry in read_log(context.runs / trial.name)
        ],
        "images": len(clean),
    }


def list_trials() -> list[Trial]:
    """Lists every network under every reading."""
    return [
        Trial(
            name=f"{network}_{reading}",
            title=f"{title}, {READINGS[reading][0]}",
            architecture=architecture,
            noise=READINGS[reading][1],
            # DnCNN computes 50 times as much.
            quick=None if network == "dncnn" else QUICK,
            full=FULL,
            config=config,
            turns=False,
            images=64,
            data=find_faces,
            measure=measure,
        )
        for network, (title, architecture, config) in NETWORKS.items()
        for reading in READINGS
    ]


def measure_readings(context: Context, folder: Path) -> dict[str, Any]:
    """Measures what PSNR each reading of the paper's formula has before any network."""
    clean = find_faces(context.root).load_test(None if context.is_full else 64)
    counts = np.random.default_rng(SEED).poisson(clean).astype(np.float32)
    noisy = {"unit": clean + counts}
    noisy |= {name: add_noise(clean, kind) for name, (_, kind) in READINGS.items()}
    return {
        name: {
            "raw": summarize(figures_of(clean, images)),
            "clipped": summarize(figures_of(clean, np.clip(images, 0, 1))),
            "brightness": float(images.mean() / clean.mean()),
        }
        for name, images in noisy.items()
    }


def measure_codes(context: Context, folder: Path) -> dict[str, Any]:
    """Measures what is left of clean faces that are reduced to as many numbers as a code has."""
    clean = find_faces(context.root).load_test(None if context.is_full else 64)
    figures = {}
    for name, side in CODES.items():
        again = np.stack([_reduce(image, side) for image in clean])
        figures[name] = {**summarize(figures_of(clean, again)), "numbers": side * side * 3}
    return figures


def measure_shipped(context: Context, folder: Path) -> dict[str, Any]:
    """Measures models of this package, which know nothing of faces, on the same noisy faces."""
    from kerasdenoise import Denoiser

    clean = find_faces(context.root).load_test(None if context.is_full else 16)
    figures: dict[str, Any] = {"images": len(clean)}
    for model in SHIPPED:
        denoiser = Denoiser(model)
        for reading, (_, kind) in READINGS.items():
            noisy = np.clip(add_noise(clean, kind), 0, 1)
            denoised = np.clip(np.stack([denoiser(image) for image in noisy]), 0, 1)
            figures[f"{model}_{reading}"] = summarize(figures_of(clean, denoised))
    return figures


def _reduce(image: np.ndarray, side: int) -> np.ndarray:
    small = Image.fromarray(np.round(image * 255).astype(np.uint8)).resize(
        (side, side), Image.Resampling.BOX
    )
    large = small.resize(image.shape[1::-1], Image.Resampling.BICUBIC)
    return np.asarray(large, np.float32) / 255


def draw_samples(context: Context, folder: Path) -> dict[str, Any]:
    """Draws a picture of our own denoised by the networks; the faces may not be passed on."""
    from kerasdenoise.images.read import read_image

    pixels = read_image(ROOT / "docs" / "images" / "sample_clean.png").pixels
    top, left = pixels.shape[0] // 3, pixels.shape[1] // 3
    clean = pixels[np.newaxis, top : top + 2 * SIDE, left : left + 2 * SIDE]
    figures: dict[str, Any] = {}
    rows, titles = [], []
    for reading, (called, kind) in READINGS.items():
        noisy = add_noise(clean, kind)
        shown = {"clean": clean, called: noisy}
        for network in ("literal", "wide"):
            shown[NETWORKS[network][0]] = denoise(
                context.load(f"{network}_{reading}"), noisy, clean
            )
        rows.append([image[0] for image in shown.values()])
        psnr = {name: float(figures_of(clean, each)["psnr"][0]) for name, each in shown.items()}
        titles.append(
            [name if name == "clean" else f"{name}\n{psnr[name]:.1f} dB" for name in shown]
        )
        figures[reading] = {name: value for name, value in psnr.items() if name != "clean"}
    draw_images(rows, titles, folder / "samples.png", side=2.2)
    return figures


def write_sections(records: Mapping[str, Record], pictures: Path) -> list[str]:
    """Writes the sections of the page, and draws its charts."""
    parts = [
        _INTRODUCTION,
        "## What the noise is",
        _describe_readings(records.get("readings")),
        "## What a code can hold",
        _describe_codes(records.get("codes")),
        "## The networks",
        _describe_networks(records, pictures / f"{NAME}_bars.png"),
        "## How trainings went",
        _describe_trainings(records, pictures),
    ]
    if "samples" in records:
        shown = picture("Samples", pictures / f"{NAME}_samples.png")
        parts += ["## A picture", _SAMPLES, shown]
    return parts


def _describe_readings(record: Record | None) -> str:
    rows = []
    names = {
        "unit": "I + P, images in [0, 1]",
        "additive": "I + P, images from 0 to 255",
        "halved": "(I + P) / 2, from 0 to 255",
        "shot": "P alone, from 0 to 255",
    }
    for name, called in names.items():
        if record is None:
            rows.append([called, *[MISSING] * 3])
            continue
        figures = record.figures[name]
        raw, clipped = figures["raw"]["psnr"], figures["clipped"]["psnr"]
        rows.append([called, f"{raw:.2f}", f"{clipped:.2f}", f"{figures['brightness']:.2f}"])
    header = ("reading", "PSNR as it is, dB", "clipped, dB", "brightness of the clean image's")
    return f"{_READINGS}\n\n{table(header, rows)}\n\n{_READINGS_MEAN}"


def _describe_codes(record: Record | None) -> str:
    rows = []
    for name in CODES:
        if record is None:
            rows.append([name, *[MISSING] * 2])
        else:
            figures = record.figures[name]
            rows.append([name, f"{figures['numbers']:,}", f"{figures['psnr']:.2f}"])
    return f"{_CODES}\n\n{table(('code', 'numbers', 'PSNR of clean faces, dB'), rows)}"


def _describe_networks(records: Mapping[str, Record], target: Path) -> str:
    rows, heights = [], {title: [] for title, _, _ in NETWORKS.values()}
    noisy: list[float | None] = []
    for reading, (called, _) in READINGS.items():
        found = [records.get(f"{network}_{reading}") for network in NETWORKS]
        whole = [record for record in found if record is not None and not record.has_diverged]
        noisy.append(whole[0].figures["noisy"]["psnr"] if whole else None)
        for record, (title, _, _) in zip(found, NETWORKS.values(), strict=True):
            there = record is not None and not record.has_diverged
            heights[title].append(record.figures["psnr"] if there and record else None)
            rows.append(
                [
                    called,
                    title,
                    f"{record.parameters:,}" if record else "-",
                    cell(record, "psnr"),
                    cell(record, "psnr_error", label=False),
                    cell(record, "ssim", digits=3, label=False),
                    cell(record, "mse", digits=5, label=False),
                ]
            )
        for model in SHIPPED:
            title = f"`{model}`, not trained on faces"
            shipped = records.get("shipped")
            figures = shipped.figures[f"{model}_{reading}"] if shipped else None
            heights.setdefault(model, []).append(figures["psnr"] if figures else None)
            values = [
                f"{figures[name]:.{digits}f}" if figures else MISSING
                for name, digits in (("psnr", 2), ("psnr_error", 2), ("ssim", 3))
            ]
            rows.append([called, title, "-", *values, "-"])
    header = ("noise", "network", "weights", "PSNR, dB", "standard error", "SSIM", "MSE")
    text = f"{_NETWORKS}\n\n{table(header, rows)}"
    if not any(record.parameters or record.steps for record in records.values()):
        return text
    series = {"noisy": noisy, **heights}
    # The chart is too narrow for whole titles.
    shown = {
        name.removesuffix(" of the LambdaNet paper").removesuffix(", as written"): each
        for name, each in series.items()
        if any(height is not None for height in each)
    }
    groups = [f"{called}" for called, _ in READINGS.values()]
    draw_bars(
        groups,
        shown,
        target,
        y="PSNR on test faces, dB",
        title=f"What each network makes of each reading (the paper reports {PUBLISHED:.0f} dB)",
    )
    return f"{text}\n\n{picture('PSNR of networks and readings', target)}"


def _describe_trainings(records: Mapping[str, Record], pictures: Path) -> str:
    rows, psnr, mse = [], {}, {}
    for network in ("literal", "wide"):
        for reading, (called, _) in READINGS.items():
            record = records.get(f"{network}_{reading}")
            title = f"{NETWORKS[network][0]}, {called}"
            if record is None:
                rows.append([title, *[MISSING] * 3])
                continue
            if record.has_diverged or "training" not in record.figures:
                rows.append([title, cell(record, "psnr"), "-", "-"])
                continue
            seen = record.figures["training"]["psnr"]
            ahead = seen - record.figures["psnr"]
            rows.append([title, cell(record, "psnr"), f"{seen:.2f}", f"{ahead:+.2f}"])
            epochs = [step * record.batch / SEEN for step, _ in record.curve]
            psnr[title] = (epochs, [value for _, value in record.curve])
            mse[title] = (epochs, [value for _, value in record.figures["mse_curve"]])
    header = ("training", "test faces, dB", "faces it was trained on, dB", "difference")
    text = f"{_TRAININGS}\n\n{table(header, rows)}"
    if not psnr:
        return text
    shown = []
    for name, lines, y in (
        ("psnr", psnr, "validation PSNR, dB"),
        ("mse", mse, "training error (MSE)"),
    ):
        target = pictures / f"{NAME}_{name}.png"
        draw_lines(
            lines, target, x=f"epochs of our {SEEN} faces", y=y, title=f"{y} after each epoch"
        )
        shown.append(picture(y, target))
    return "\n\n".join([text, *shown])


_INTRODUCTION = f"""# The Poisson autoencoder

A student paper on faces of FFHQ (128x128 pixels, 56,000 to train with and 14,000 to test) adds
Poisson noise and denoises with an autoencoder: convolution, ReLU and pooling twice, a code of
3x3x3 numbers, and back by transposed convolutions. It reports a PSNR of {PUBLISHED:.0f} dB and
more within 40 epochs, and overfitting after that. It does not give channels or kernels; the number
of layers here follows the paper. Our faces are different and fewer. They have 120x120 pixels,
because a code of 3x3 needs multiples of 40."""

_READINGS = """The paper writes "P = torch.poisson(I)" and "I + P" for the noisy image. It does not
give the scale of I. On a scale from 0 to 1, photon counts are 0, 1 or 2; on a scale from 0 to 255,
the noise is 255 times finer."""

_READINGS_MEAN = """With this formula, the noisy image is twice as bright as the clean one on either
scale, and nothing can be learned from pairs of noisy images. Only the halved sum has the clean
image as its mean. Even without denoising, it is within a few dB of what the paper reports."""

_CODES = """Clean faces are averaged down to the size of the code and interpolated back, without
noise or training. A trained code with as many numbers can do better, but 27 numbers cannot replace
43,200."""

_NETWORKS = """Measured on faces that no training saw, results clipped to [0, 1]. If the PSNR is
below that of the noisy image, the code loses more than the noise did. The autoencoder of the
LambdaNet paper and DnCNN, which the paper names as related, are trained in the same way; the models
of this package are the shipped ones, and get clipped noisy images."""

_TRAININGS = """In the paper, validation and training PSNR are the same until the network overfits.
It trains for as many steps as `--full`, but with 61 times as many faces, so overfitting would
appear here first."""

_SAMPLES = """The license of the faces does not allow us to show them. This is our own picture, of a
kind that the networks were not trained on. The code of 27 numbers preserves only a blur of it."""

PAPER = Paper(
    name=NAME,
    title="Denoising of Poisson noise by an autoencoder (student paper)",
    redoes="PSNR and MSE per epoch, the bars, samples; its code of 27 numbers and one that can "
    "hold a face, under three readings of its noise.",
    trials=list_trials(),
    write_sections=write_sections,
    studies=(
        Study("readings", "what noise the formula is", measure_readings),
        Study("codes", "what a code can hold", measure_codes),
        Study("shipped", "models of this package", measure_shipped),
        Study(
            "samples",
            "a picture denoised",
            draw_samples,
            needs=tuple(
                f"{network}_{reading}" for network in ("literal", "wide") for reading in READINGS
            ),
        ),
    ),
)
