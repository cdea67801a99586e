"""The page of the LambdaNet paper: its tables beside ours, and the errors in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.records import MISSING, ROOT, Record, cell, picture
from common.trials import Length

from kerasdenoise.evaluation.pages import draw_bars, draw_lines, table

PUBLISHED_WEIGHTS = ROOT / "experiments" / "results" / "lambda_net_published_weights.json"

_FALLING = {"warmup_steps": 20, "decay_fraction": 0.6, "ema_momentum": 0.0}

QUICK = Length(400, 16, {"learning_rate": 1e-2, **_FALLING}, checkpoints=8)

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

# What the paper leaves to future work, and the start of its own code: trials by their names, all of
# LambdaNet u=1 m=23 at sigma 0.1.
FUTURE: dict[str, tuple[str, dict[str, Any]]] = {
    "layer_normalization": ("layer normalization", {"normalization": "layer"}),
    "inner_skip": ("a second shortcut in the decoder", {"inner_skip": True}),
    "paper_start": ("the start of the paper's code", {"embedding_initializer": "paper"}),
    **{f"key_depth_{k}": (f"k = {k}", {"key_depth": k}) for k in (8, 32, 64)},
    "transferred": ("trained on photos first", {}),
}
# What comes before `transferred`: no row of its own.
FIRST = "photos_first"

_FUTURE = """The paper leaves these to future work: more numbers in a query (k, 16 in the paper),
layer normalization, a second shortcut, and transfer learning. Each is trained as the first row is,
at sigma 0.1."""

_INTRODUCTION = """# LambdaNet for image denoising

A student paper compares a network of a lambda layer and two small convolutions with a denoising
autoencoder and DnCNN. Its authors trained on the 50,000 training images of CIFAR-10: Adam at 0.001,
reduced by 1 % after each epoch, batches of 256, weight decay 0.00001, 50 epochs for LambdaNet, 300
for the autoencoder, 200 for DnCNN. `--full` trains for as many steps with the same settings.
`--quick` trains for a few hundred steps with a higher rate that falls to zero, which shows only the
beginning."""

_TABLE = """PSNR in dB follows the paper's convention, where the peak is each image's own largest
value. The last column has the usual PSNR with peak 1, which is about 0.4 dB higher on these images.
The paper does not say how strong speckle and salt and pepper were, or what was clipped. Its
published weights reveal it: speckle has variance 0.1 and is clipped; salt and pepper replaces 5 %
of the values, separately in each channel; Gaussian noise is not clipped. As in the paper, DnCNN
predicts the image itself, not the noise. If a figure comes from fewer steps than in the paper, its
cell says so. It then shows how far the training came, not how good the network is. One step of
DnCNN takes as much computation as 16 steps of LambdaNet with the same number of images."""

_DIFFERENCES = """Figures may differ from the paper's for these reasons:

- **Length** of training, which the cell states. This is by far the most important reason.
- **Images.** Those of the last section, not all of CIFAR-10, and of the test images the first 256
  unless the training was of full length. Standard errors are in the result file.
- **Errors in the table**, of the next section: no training should be led by its DnCNN.
- **Initialization.** The lambda layer's embedding starts smaller here, so that its result has unit
  variance.
- **SSIM** uses Gaussian windows of 11x11 pixels; the paper does not describe its SSIM."""

_CONVERGENCE = """Validation PSNR against the number of images seen in training, for Gaussian noise
of sigma 0.1. The paper plots the error of its network, and concludes that 50 epochs, or 2.5 million
images, are enough."""

_UNTRAINED = """These networks had short trainings, as the cells of Table 2 say, and some have not
even learned the colors. So this picture does not test the paper's claims about them."""


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


def write_sections(records: Mapping[str, Record], pictures: Path) -> list[str]:
    """Writes the sections of the page, and draws its charts."""
    weights = json.loads(PUBLISHED_WEIGHTS.read_text("utf-8"))
    return [
        _INTRODUCTION,
        "## Table 2: four networks, five kinds of noise",
        _TABLE,
        table(("noise", "network", "paper", "here", "SSIM", "PSNR, peak 1"), _table_2(records)),
        _DIFFERENCES,
        _draw_table(records, pictures),
        "## What is wrong with the published table",
        _describe_errors(weights),
        table(
            ("noise", "network", "published", "its published weights", "difference", "peak 1"),
            _compare_weights(weights),
        ),
        "## Figure 8: output channels of the lambda layer",
        _describe_channels(records),
        _draw_channels(records, pictures),
        "## Figure 9: convergence",
        _CONVERGENCE,
        _draw_convergence(records, pictures),
        "## Figure 10: a photo of 512x512 pixels",
        _describe_photo(records.get("photo")),
        *_list_future(records),
    ]


def _list_future(records: Mapping[str, Record]) -> list[str]:
    """The section of the paper's future work, once any of it is trained."""
    if not FUTURE.keys() & records.keys():
        return []
    titles = {"lambda_23_gaussian_01": "as in the paper"}
    titles |= {name: title for name, (title, _) in FUTURE.items()}
    rows = [
        [
            title,
            cell(records.get(name), "psnr_image_max"),
            cell(records.get(name), "psnr_image_max_error", label=False),
            cell(records.get(name), "ssim", label=False),
        ]
        for name, title in titles.items()
    ]
    header = ("LambdaNet u=1 m=23", "PSNR, image's maximum", "standard error", "SSIM")
    return ["## The paper's future work", _FUTURE, table(header, rows)]


def _table_2(records: Mapping[str, Record]) -> list[list[str]]:
    rows = []
    for noise, (title, _) in NOISES.items():
        for model in MODELS:
            record = records.get(f"{model}_{noise}")
            published = PUBLISHED[noise].get(model)
            paper = f"{published[0]:.2f} / {published[1]:.2f}" if published else "-"
            rows.append(
                [
                    title,
                    MODELS[model].title,
                    paper,
                    cell(record, "psnr_image_max"),
                    cell(record, "ssim", label=False),
                    cell(record, "psnr", label=False),
                ]
            )
    return rows


def _draw_table(records: Mapping[str, Record], pictures: Path) -> str:
    def find(model: str, noise: str) -> float | None:
        record = records.get(f"{model}_{noise}")
        return None if record is None else record.figures.get("psnr_image_max")

    series = {
        MODELS[model].title: [find(model, noise) for noise in NOISES]
        for model in MODELS
        if any(f"{model}_{noise}" in records for noise in NOISES)
    }
    if not series:
        return MISSING
    target = pictures / "lambda_net_table_2.png"
    draw_bars(
        [title.replace(", ", "\n") for title, _ in NOISES.values()],
        series,
        target,
        y="PSNR, dB (peak: the image's maximum)",
        title="Table 2, as far as each network was trained here",
        marks={
            MODELS[model].title: [
                PUBLISHED[noise][model][0] if model in PUBLISHED[noise] else None
                for noise in NOISES
            ]
            for model in MODELS
        },
        low=10,
    )
    return picture("Table 2", target)


def _describe_errors(weights: Mapping[str, Any]) -> str:
    table_2 = {noise: PUBLISHED[noise] for noise in PUBLISHED}
    dncnn = [table_2[f"gaussian_0{level}"]["dncnn"] for level in (1, 2, 3)]
    copied = table_2["gaussian_02"]["autoencoder"]
    levels = [table_2[f"gaussian_0{level}"] for level in (1, 2, 3)]
    drop = [levels[i]["lambda_23"][0] - levels[i + 1]["lambda_23"][0] for i in (0, 1)]
    falls = levels[0]["autoencoder"][0] - levels[2]["autoencoder"][0]
    expected = levels[0]["autoencoder"][0] - falls * drop[0] / sum(drop)
    measured = weights["psnr_image_max"]
    return f"""The table contradicts itself in two places, and its own weights in a third.

- **A row is copied.** The autoencoder at sigma 0.2 has {copied[0]} dB and {copied[1]}, exactly its
  figures for speckle. If it fell between 0.1 and 0.3 as LambdaNet does, it would have
  {expected:.1f} dB; its published weights give {measured["gaussian_02"]["autoencoder"]:.2f}.
- **DnCNN cannot be as bad as printed.** From sigma 0.2 to 0.3 it would lose
  {dncnn[1][0] - dncnn[2][0]:.2f} dB while the noise grows by 3.5 dB and LambdaNet loses
  {drop[1]:.1f}; from 0.1 to 0.2 its SSIM would stay {dncnn[0][1]}. Its published weights give
  {measured["gaussian_01"]["dncnn"]:.2f} and {measured["gaussian_02"]["dncnn"]:.2f} dB.
- **So LambdaNet is not the best at sigma 0.1**, as the paper claims. With the published weights,
  DnCNN is better for all five kinds of noise. LambdaNet is best in quality for its size: 9,083
  weights against 558,336.

The figures of the published weights: {weights["what"]}. Measured on {weights["images"]};
{weights["how"]}. They agree with the table to within 0.04 dB for LambdaNet under Gaussian noise,
which is how the convention of PSNR, the architecture and the strengths of the noise are known."""


def _compare_weights(weights: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for noise, measured in weights["psnr_image_max"].items():
        for model, psnr in measured.items():
            published = PUBLISHED[noise][model][0]
            wrong = abs(psnr - published) > 0.5
            text = f"{psnr - published:+.2f}"
            rows.append(
                [
                    NOISES[noise][0],
                    MODELS[model].title,
                    f"{published:.2f}",
                    f"{psnr:.2f}",
                    f"**{text}**" if wrong else text,
                    f"{weights['psnr'][noise][model]:.2f}",
                ]
            )
    return rows


def _describe_channels(records: Mapping[str, Record]) -> str:
    costs = records.get("costs")
    rows = []
    for channels in CHANNELS:
        record = records.get(f"channels_{channels}")
        cost = costs.figures[f"channels_{channels}"] if costs else None
        rows.append(
            [
                str(channels),
                f"{PUBLISHED_PARAMETERS[channels]:,}",
                f"{cost['parameters']:,}" if cost else MISSING,
                f"{cost['mac_per_pixel'] / 1000:,.1f}" if cost else MISSING,
                cell(record, "psnr_image_max"),
                cell(record, "ssim", label=False),
            ]
        )
    header = (
        "channels d",
        "weights, paper",
        "weights, here",
        "thousand MAC a pixel",
        "PSNR, image's maximum",
        "SSIM",
    )
    models = []
    for name, model in MODELS.items():
        if costs:
            cost = costs.figures[name]
            models.append(
                f"{model.title} {cost['parameters']:,} weights and "
                f"{cost['mac_per_pixel'] / 1000:,.1f} thousand multiplications a pixel"
            )
    known = json.loads(PUBLISHED_WEIGHTS.read_text("utf-8"))["channels_psnr_image_max"]
    by_weights = ", ".join(f"{psnr} dB with {channels}" for channels, psnr in known.items())
    return f"""The number of weights is exactly that of the published files: 8,847 + 6.75 d + d²/2.
That is quadratic, not exponential as the paper says. From its figure, the paper concludes that more
than 128 channels gain nothing and that SSIM is about 0.88 with any number. It recommends 16 to 128.
Its published weights give {by_weights}.

{table(header, rows)}

The paper treats the number of weights as a measure of memory and time, but they differ:
{"; ".join(models) or MISSING}."""


def _draw_channels(records: Mapping[str, Record], pictures: Path) -> str:
    there = {d: records.get(f"channels_{d}") for d in CHANNELS}
    found = {d: record for d, record in there.items() if record and not record.has_diverged}
    if not found:
        return MISSING
    target = pictures / "lambda_net_figure_8.png"
    weights = json.loads(PUBLISHED_WEIGHTS.read_text("utf-8"))["channels_psnr_image_max"]
    draw_lines(
        {
            "trained here": (
                list(found),
                [record.figures["psnr_image_max"] for record in found.values()],
            )
        },
        target,
        x="output channels d",
        y="PSNR, dB (peak: the image's maximum)",
        title="Figure 8: sigma 0.1, u = 1, m = 23",
        log=True,
        dashed={"the paper's weights": ([int(d) for d in weights], list(weights.values()))},
    )
    return picture("Figure 8", target)


def _draw_convergence(records: Mapping[str, Record], pictures: Path) -> str:
    lines = {}
    for name, model in MODELS.items():
        record = records.get(f"{name}_gaussian_01")
        if record is not None:
            seen = [step * record.batch / 1000 for step, _ in record.curve]
            lines[model.title] = (seen, [psnr for _, psnr in record.curve])
    if not lines:
        return MISSING
    target = pictures / "lambda_net_figure_9.png"
    draw_lines(
        lines,
        target,
        x="thousand images seen",
        y="validation PSNR, dB (peak 1)",
        title="Figure 9: sigma 0.1",
        log=True,
    )
    return picture("Figure 9", target)


def _describe_photo(record: Record | None) -> str:
    if record is None:
        return MISSING
    figures = record.figures
    rows = [
        [
            MODELS[name].title if name in MODELS else name,
            f"{figures[name]['psnr']:.2f}",
            f"{figures[name]['psnr_image_max']:.2f}",
            f"{figures[name]['ssim']:.3f}",
            f"{figures[name]['edginess']:.2f}",
        ]
        for name in ("noisy", *MODELS)
    ]
    size = f"{figures['width']}x{figures['height']}"
    return f"""Gaussian noise of sigma 0.1 on {size} pixels of `{figures["photo"]}` (CC0). The
networks were trained on 32x32 pixels. The paper says that DnCNN "tends to hard-smooth". The last
column is the sum of differences between neighbors, relative to the clean photo: below 1 the photo
is smoothed, above 1 noise remains. {"" if record.mode == "full" else _UNTRAINED}

{table(("network", "PSNR, peak 1", "image's maximum", "SSIM", "edginess"), rows)}

![Figure 10](../images/papers/lambda_net_photo.png)"""
