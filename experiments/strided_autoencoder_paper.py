"""Dai and Liu's course project: an autoencoder written from scratch, trained by Noise2Noise.

    python cli.py reproduce strided_autoencoder --quick

The project wrote convolutions, losses and SGD by itself; `kerasdenoise.reference` does so in NumPy,
and tests hold it against Keras. Here Keras trains the same network.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.noise2noise import (
    NOISE,
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

NAME = "strided_autoencoder"
PUBLISHED = 21.62
# 10 epochs of 50,000 images in batches of 16.
STEPS, BATCH = 31_250, 16

TITLES = {
    "published": "SGD at 0.1, noisy targets: the project's training",
    "momentum": "SGD at 0.1 with momentum 0.9",
    "adam": "Adam at 0.001",
    "published_clean": "SGD at 0.1, clean targets",
    "adam_clean": "Adam at 0.001, clean targets",
}
_SGD = constant_rate(0.1, optimizer="sgd")
_ADAM = constant_rate(1e-3)
_CLEAN = {"objective": "supervised"}
OPTIONS = {
    "published": _SGD,
    "momentum": {**_SGD, "momentum": 0.9},
    "adam": _ADAM,
    "published_clean": {**_SGD, **_CLEAN},
    "adam_clean": {**_ADAM, **_CLEAN},
}


def make_trial(name: str, options: dict[str, Any]) -> Trial:
    """Makes a trial: the project's number of steps, or a tenth of it."""
    return Trial(
        name=name,
        title=TITLES[name],
        architecture="strided_autoencoder",
        noise=NOISE,
        quick=Length(STEPS // 10, BATCH, options, checkpoints=10),
        full=Length(STEPS, BATCH, options, checkpoints=20),
        config={"preset": "paper"},
        turns=False,
    )


def write_sections(records: Mapping[str, Record], pictures: Path) -> list[str]:
    """Writes the sections of the page, and draws its charts."""
    optimizers = ["published", "momentum", "adam"]
    targets = ["published", "published_clean", "adam", "adam_clean"]
    return [
        _INTRODUCTION,
        "## The noise",
        describe_noise(records.get("noise")),
        "## The result",
        compare_result(records.get("published"), None, PUBLISHED),
        _RESULT,
        "![Samples](../images/papers/strided_autoencoder_samples.png)"
        if "samples" in records
        else "",
        "## The optimizer",
        _OPTIMIZER,
        compare(
            records,
            [(name, TITLES[name]) for name in optimizers],
            pictures / f"{NAME}_optimizer.png",
            "Optimizers",
            {"published": f"{PUBLISHED}"},
        ),
        "## Noisy targets and clean ones",
        _TARGETS,
        compare(
            records,
            [(name, TITLES[name]) for name in targets],
            pictures / f"{NAME}_targets.png",
            "Noisy and clean targets",
        ),
    ]


_INTRODUCTION = """# Noise2Noise from scratch

Dai and Liu's project for EPFL's course EE-559 implements convolutions, transposed convolutions,
ReLU, sigmoid, squared error and SGD without a library. It trains an autoencoder by Noise2Noise,
where the target is another noisy version of the image. We repeated this code in NumPy
([reference](../reference.md)). For this page, we trained the same network, with 85,731 weights, in
Keras. As in the project, images are neither flipped nor rotated."""

_RESULT = f"""The report gives {PUBLISHED} dB after 10 epochs of SGD at 0.1 in batches of 16. In two
other places, the report leaves this figure blank. `--full` trains for as many steps on noise of the
same PSNR, but we cannot know whether it is the same kind of noise."""

_OPTIMIZER = """The report says that it would tune momentum next. The squared error is a mean over
all values, so its gradients are small, and so are the steps of SGD at 0.1 without momentum. The
project's 21.62 dB took 10 epochs, 31,250 steps."""

_TARGETS = """Noise2Noise claims that noisy targets teach the same as clean ones if there are enough
of them, because white noise has mean zero. The table compares both after the same number of
steps:"""

PAPER = Paper(
    name=NAME,
    title="Dai and Liu, Noise2Noise from scratch (EE-559 mini-project 2)",
    redoes="21.62 dB after 10 epochs and Figure 1; beyond it momentum, Adam and clean targets.",
    trials=[make_trial(name, options) for name, options in OPTIONS.items()],
    write_sections=write_sections,
    studies=(
        Study("noise", "what noise has 19.62 dB", measure_noise),
        Study(
            "samples",
            "clean, noisy, denoised",
            functools.partial(draw_samples, {"SGD": "published", "Adam": "adam"}),
            needs=("published", "adam"),
        ),
    ),
)
