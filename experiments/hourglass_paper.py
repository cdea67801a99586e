"""Aguiriano, Papadatos and Waelbroeck's course project: an hourglass, trained by Noise2Noise.

    python cli.py reproduce hourglass --quick

Its figures ask what the learning rate, the loss, the optimizer, the number of images and the shape
of the network are worth, and its result is 19.62 to 24.20 dB.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.noise2noise import (
    NOISE,
    NOISY_PSNR,
    compare,
    compare_result,
    constant_rate,
    describe_noise,
    draw_samples,
    measure_noise,
)
from common.paper import Paper, Study
from common.records import Record
from common.trials import Length, Trial

NAME = "hourglass"
DENOISED = 24.20
# 100 epochs of 50,000 images in batches of 1,000; the short training has as many steps in a
# minute as it can.
STEPS, BATCH = 5_000, 1_000
QUICK_STEPS, QUICK_BATCH = 500, 16
RATE = 2e-3
RATES = (5e-4, 1e-3, 5e-3, 1e-2)
VARIANTS = {
    "A": "A: six convolutions, ReLU last",
    "B": "B: six convolutions, sigmoid last",
    "C": "C: four convolutions",
    "D": "D: four convolutions, 5x5 in the middle",
    "E": "E: as D, with a linear layer in the bottleneck",
}


def _trial(
    name: str,
    title: str,
    variant: str = "D",
    *,
    longer: int = 1,
    dropout: float = 0.0,
    percent: int = 100,
    turns: bool = False,
    **options: Any,
) -> Trial:
    """Makes a trial: the project's training of variant D, but for what is named."""
    plan = constant_rate(options.pop("learning_rate", RATE), **options)
    return Trial(
        name=name,
        title=title,
        architecture="hourglass",
        noise=NOISE,
        quick=Length(longer * QUICK_STEPS, QUICK_BATCH, plan, checkpoints=10),
        full=Length(longer * STEPS, BATCH, plan, checkpoints=50),
        config={"variant": variant, "dropout": dropout},
        percent=percent,
        turns=turns,
    )


def list_trials() -> list[Trial]:
    """Lists the project's result, and every comparison with it."""
    rates = [_trial(f"rate_{rate:g}", f"Adam at {rate:g}", learning_rate=rate) for rate in RATES]
    variants = [
        _trial(f"variant_{variant}", title, variant, percent=20)
        for variant, title in VARIANTS.items()
    ]
    return [
        _trial("published", "D, Adam at 0.002, squared error, all images"),
        *rates,
        _trial("cross_entropy", "cross-entropy of each value", loss="bce"),
        _trial("sgd", "SGD at 0.1", optimizer="sgd", learning_rate=0.1),
        _trial(
            "sgd_momentum",
            "SGD at 0.1, momentum 0.9",
            optimizer="sgd",
            learning_rate=0.1,
            momentum=0.9,
        ),
        _trial("images_60", "60 % of the images", percent=60),
        _trial("images_60_turned", "60 %, flipped and turned", percent=60, turns=True),
        _trial("turned", "all images, flipped and turned", turns=True),
        *variants,
        _trial("variant_B_longer", "B, twice as long", "B", longer=2, percent=20),
        _trial("dropout", "with the dropout of the project's code", dropout=0.2),
        _trial("clean", "clean targets", objective="supervised"),
    ]


def write_sections(records: Mapping[str, Record], pictures: Path) -> list[str]:
    """Writes the sections of the page, and draws its charts."""
    base = ("published", "Adam at 0.002")
    rates = [base, *((f"rate_{rate:g}", f"Adam at {rate:g}") for rate in RATES)]
    rates.sort(key=lambda row: 0.002 if row is base else float(row[0].removeprefix("rate_")))

    def ask(what: str, title: str, *rows: tuple[str, str], **said: str) -> str:
        return compare(records, rows, pictures / f"{NAME}_{what}.png", title, said)

    return [
        _INTRODUCTION,
        "## The noise",
        describe_noise(records.get("noise")),
        "## Figures 7 to 9: the result",
        compare_result(records.get("published"), NOISY_PSNR, DENOISED),
        _RESULT,
        f"![Samples](../images/papers/{NAME}_samples.png)" if "samples" in records else "",
        "## Figure 1: learning rate",
        _RATE,
        ask("learning_rate", "Learning rate", *rates),
        "## Figure 2: loss",
        _LOSS,
        ask(
            "loss",
            "Loss",
            ("published", "squared error"),
            ("cross_entropy", "cross-entropy of each value"),
            cross_entropy="worse",
        ),
        "## Figure 3: optimizer",
        _OPTIMIZER,
        ask(
            "optimizer",
            "Optimizer",
            base,
            ("sgd", "SGD at 0.1"),
            ("sgd_momentum", "SGD at 0.1, momentum 0.9"),
            sgd="worse",
        ),
        "## Figure 4: number of images, augmentation",
        _IMAGES,
        ask(
            "images",
            "Images",
            ("images_60", "60 % of the images"),
            ("images_60_turned", "60 %, flipped and turned"),
            ("published", "all images"),
            ("turned", "all images, flipped and turned"),
            images_60="about 24.0",
            published="about 24.2",
            turned="about 24.2",
        ),
        "## Figure 5: variants",
        _VARIANTS,
        ask(
            "variants",
            "Variants, a fifth of the images",
            *((f"variant_{variant}", title) for variant, title in VARIANTS.items()),
            ("variant_B_longer", "B, twice as long"),
            variant_A="23.3 to 23.8",
            variant_B="23.3 to 23.8",
            variant_C="23.3 to 23.8",
            variant_D="best",
            variant_E="about 20",
        ),
        "## Beyond the report",
        _BEYOND,
        ask(
            "beyond",
            "Dropout, clean targets",
            ("published", "noisy targets"),
            ("dropout", "noisy targets, dropout 0.2"),
            ("clean", "clean targets"),
        ),
    ]


_INTRODUCTION = """# A Noise2Noise hourglass

Aguiriano, Papadatos and Waelbroeck's project for EPFL's course EE-559 trains an hourglass of
residual blocks, 55,395 weights, on pairs of noisy images: Adam at 0.002, batches of 1,000,
50,000 images, 100 epochs. `--full` trains for as many steps; `--quick` trains for 500 steps of 16
images at the same rates. Figures that the project shows only as curves were read from them and say
"about"."""

_RESULT = """As in the project, results are clipped to the range of pixels before they are measured.
The noise here is white; theirs is unknown, and networks gain less if noise is clipped or less
white. So a higher figure here does not contradict theirs."""

_RATE = "The project takes 0.002 from such a sweep."

_LOSS = """The project finds cross-entropy worse, and explains that it "modifies each output in
function of the others", which describes cross-entropy over a softmax. That kind cannot produce an
image. Here, cross-entropy is binary, for each value separately. With noisy targets, its best answer
is also their mean."""

_OPTIMIZER = "The project finds Adam better than SGD, whose rate it does not say."

_IMAGES = """In the project, 30,000 of the 50,000 images are slightly worse than all, and
augmentation is about as good as all images, "minus the oscillation". Here we compare 60 % and all
of our images. Each image gets new noise in each step, instead of one fixed pair, and that is also
augmentation."""

_VARIANTS = """As in the project, these were trained on 10,000 images, a fifth of all. The project
chose D. It also suggested training the six convolutions of B for longer, which the last row does.
Its report does not describe E's linear layer; here its rank is 128."""

_BEYOND = (
    """The project's code drops a fifth of the values in training; its report does not say so."""
)

PAPER = Paper(
    name=NAME,
    title="Aguiriano, Papadatos and Waelbroeck, Noise2Noise (EE-559 mini-project 1)",
    redoes="19.62 to 24.20 dB; Figures 1 to 5 (learning rate, loss, optimizer, images, variants) "
    "and 7 to 9; beyond it dropout and clean targets.",
    trials=list_trials(),
    write_sections=write_sections,
    studies=(
        Study("noise", "what noise has 19.62 dB", measure_noise),
        Study(
            "samples",
            "clean, noisy, denoised",
            functools.partial(draw_samples, {"denoised": "published"}),
            needs=("published",),
        ),
    ),
)
