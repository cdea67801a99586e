"""What both course projects on Noise2Noise share: their noise, their rates, their pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.data import find_cifar10
from common.records import MISSING, Record, cell, difference, picture
from common.trials import Context
from kerasdenoise.evaluation.figures import SEED, add_noise, denoise, psnr_of
from kerasdenoise.evaluation.pages import draw_images, draw_lines, table

# The projects' pairs have a PSNR of 19.62 dB, which is that of this noise.
NOISE = "gaussian:26.6"
NOISY_PSNR = 19.62
# The sheet of the course speaks of "downsampled, pixelated images".
OTHERS = ("pixelate:2", "pixelate:3", "pixelate:4")
SHOWN = 6


def constant_rate(learning_rate: float, **options: Any) -> dict[str, Any]:
    """Lines of a recipe that trains on noisy targets, always at the same rate."""
    rest = {
        "warmup_steps": 0,
        "decay_fraction": 0.0,
        "ema_momentum": 0.0,
        "global_clipnorm": 0.0,
    }
    if options.get("optimizer") != "sgd":
        rest["beta_2"] = 0.999
    return {"objective": "noise2noise", "learning_rate": learning_rate, **rest, **options}


def measure_noise(context: Context, folder: Path) -> dict[str, Any]:
    """Measures which corruption has the PSNR of the projects' noisy images."""
    clean = find_cifar10(context.root).load_test(None if context.is_full else 256)
    figures = {}
    for kind in (NOISE, *OTHERS):
        figures[kind] = float(psnr_of(clean, add_noise(clean, kind)).mean())
    figures["sigma_of_255"] = 255 * 10 ** (-NOISY_PSNR / 20)
    return {**figures, "images": len(clean)}


def draw_samples(trials: Mapping[str, str], context: Context, folder: Path) -> dict[str, Any]:
    """Draws clean, noisy and denoised test images.

    Args:
        trials: Whose networks denoise them, by what they are called.
        context: Where these are.
        folder: Where `samples.png` goes.
    """
    clean = find_cifar10(context.root).load_test(SHOWN)
    noisy = add_noise(clean, NOISE, SEED + 1)
    shown = {"noisy": noisy}
    for title, name in trials.items():
        shown[title] = denoise(context.load(name), noisy, clean)
    figures = {title: psnr_of(clean, each).tolist() for title, each in shown.items()}
    titles = [[f"{title}, {psnr:.1f} dB" for psnr in psnrs] for title, psnrs in figures.items()]
    rows = [list(clean), *map(list, shown.values())]
    draw_images(rows, [["clean"] * SHOWN, *titles], folder / "samples.png", side=1.5)
    return figures


def describe_noise(record: Record | None) -> str:
    """Says what the projects' noise may have been."""
    if record is None:
        return MISSING
    kinds = ", ".join(f"`{kind}` {record.figures[kind]:.2f} dB" for kind in (NOISE, *OTHERS))
    return f"""The course provided 50,000 pairs of noisy images of 32x32 pixels without saying how
they were made. Its instructions mention "downsampled, pixelated images". The second project reports
that its noisy images have {NOISY_PSNR} dB. White noise of sigma
{record.figures["sigma_of_255"]:.1f} of 255 has the same PSNR, if it is not clipped. So we use it
here and draw it anew in each step; the projects had two fixed versions of each image. PSNR of test
images with several kinds of noise: {kinds}. The mean of pixelated images is not the clean image, so
nothing could be learned from pairs of them."""


def compare_result(record: Record | None, noisy: float | None, denoised: float) -> str:
    """Writes a project's own result beside that of its training here.

    Args:
        record: Of that training.
        noisy: The project's PSNR of noisy images, if it says so.
        denoised: That of its denoised ones.
    """
    before = record.figures["noisy"]["psnr"] if record and not record.has_diverged else None
    rows = [
        (
            "noisy",
            "-" if noisy is None else f"{noisy:.2f}",
            "-" if before is None else f"{before:.2f}",
            "-" if before is None or noisy is None else f"{before - noisy:+.2f}",
        ),
        ("denoised", f"{denoised:.2f}", cell(record, "psnr"), difference(record, "psnr", denoised)),
    ]
    return table(("", "the project, dB", "here, dB", "difference"), rows)


def compare(
    records: Mapping[str, Record],
    rows: Sequence[tuple[str, str]],
    target: Path,
    title: str,
    published: Mapping[str, str] | None = None,
) -> str:
    """Writes the table of one question, and draws how its trainings went.

    Args:
        records: All results.
        rows: Names of trials, and what each is called here.
        target: The chart to draw.
        title: Its heading.
        published: What the project says, by the trials' names.
    """
    published = published or {}
    found = [(name, called) for name, called in rows if name in records]
    lines = {}
    for name, called in found:
        record = records[name]
        # A loss of all training has no finite logarithm to draw.
        curve = [point for point in record.curve if math.isfinite(point[1])]
        lines[called] = ([s * record.batch / 1000 for s, _ in curve], [p for _, p in curve])
    text = table(
        ("trial", "the project, dB", "PSNR here, dB", "standard error", "SSIM"),
        [
            [
                called,
                published.get(name, "-"),
                cell(records.get(name), "psnr"),
                cell(records.get(name), "psnr_error", label=False),
                cell(records.get(name), "ssim", digits=3, label=False),
            ]
            for name, called in rows
        ],
    )
    if not found:
        return text
    draw_lines(lines, target, x="thousand images seen", y="validation PSNR, dB", title=title)
    return f"{text}\n\n{picture(title, target)}"
