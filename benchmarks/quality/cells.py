"""Figures as the cells of Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.quality.measuring import Scores
from benchmarks.quality.methods import Cost, Method, level_of
from benchmarks.quality.report import Report
from benchmarks.quality.sets import ImageSet

# What was not measured, or is not known.
NONE = "-"


def render_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Writes a table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def set_heading(report: Report, images: ImageSet) -> str:
    """A set's title, and how many of its images were measured."""
    return f"{images.title}, {report.count(images.title, images.noises[0])} images"


def psnr_at(
    report: Report,
    method: Method,
    images: ImageSet,
    noises: Sequence[str],
    count: int | None = None,
) -> str:
    """PSNR in dB with each kind of noise, on all images of a set or the first ones."""
    return " / ".join(
        decibels(report.scores(method, images.title, noise, count)) for noise in noises
    )


def ssim_at(
    report: Report,
    method: Method,
    images: ImageSet,
    noises: Sequence[str],
    count: int | None = None,
) -> str:
    """SSIM with each kind of noise, on all images of a set or the first ones."""
    scores = [report.scores(method, images.title, noise, count) for noise in noises]
    return " / ".join(NONE if each is None else f"{each.ssim:.4f}" for each in scores)


def decibels(scores: Scores | None) -> str:
    """PSNR of the denoised images, unless all of them equal the clean ones."""
    if scores is None:
        return NONE
    return "exact" if math.isinf(scores.psnr) else f"{scores.psnr:.2f}"


def noisy_psnr(report: Report, images: str, noise: str, count: int | None = None) -> str:
    """PSNR of the noisy images, which any denoiser was given."""
    scores = report.scores(report.models[0], images, noise, count)
    return NONE if scores is None or math.isinf(scores.noisy) else f"{scores.noisy:.2f}"


def cost_cells(cost: Cost | None) -> list[str]:
    """Parameters, and thousands of multiply-accumulates per pixel in three digits at least."""
    if cost is None:
        return [NONE, NONE]
    kmac = NONE
    if cost.mac:
        digits = max(0, 2 - math.floor(math.log10(cost.mac / 1000)))
        kmac = f"{cost.mac / 1000:,.{digits}f}"
    return [f"{cost.parameters:,}", kmac]


def speed(report: Report, method: Method) -> str:
    """Seconds per megapixel."""
    seconds = report.seconds.get(method.title)
    return NONE if seconds is None else f"{seconds:.2f}"


def sigmas(noises: Sequence[str]) -> str:
    """The levels of Gaussian noise, of 255."""
    return " / ".join(f"{255 * (level_of(noise) or 0):g}" for noise in noises)


def method_name(report: Report, method: Method) -> str:
    """How a denoiser is written: a model as what is typed to use it."""
    return code(method) if method in report.models else method.title


def code(method: Method) -> str:
    """What is typed to use a model."""
    return f"`{method.title}`"
