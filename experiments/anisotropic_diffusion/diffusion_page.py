"""The page of the slides on learned anisotropic diffusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.records import MISSING, Record, cell, picture

from anisotropic_diffusion.claims import BIG, CLAIMS
from anisotropic_diffusion.diffusion_charts import (
    draw_border_gains,
    draw_curves,
    draw_findings,
    draw_functions,
    draw_partition,
)
from anisotropic_diffusion.maps import describe_contrast
from anisotropic_diffusion.trials import (
    BORDERED,
    FULL_BATCH,
    FULL_STEPS,
    NETWORKS,
    NOISES,
    PARTITIONED,
    SHAPED,
)
from kerasdenoise.evaluation.pages import table

NAME = "anisotropic_diffusion"


def write_sections(records: Mapping[str, Record], pictures: Path) -> list[str]:
    """Writes the sections of the page, and draws its charts."""
    claims = records.get("claims")

    def show(title: str, what: str, is_there: bool) -> str:
        return picture(title, pictures / f"{NAME}_{what}.png") if is_there else ""

    def draw(title: str, what: str, drawing: Any, values: Any) -> str:
        target = pictures / f"{NAME}_{what}.png"
        return picture(title, target) if drawing(values, target) is not False else ""

    return [
        _INTRODUCTION,
        "## The claims",
        _CLAIMS,
        _list_claims(claims),
        draw("Each claim", "claims", draw_findings, claims.figures["findings"]) if claims else "",
        "## Networks, P1 functions and classical diffusion",
        _CURVES,
        draw("PSNR and SSIM over noise levels", "curves", draw_curves, records),
        _list_networks(records),
        "## What the coefficients look like",
        _COEFFICIENTS,
        show("Coefficients", "coefficients", "coefficients" in records),
        "## The partition of P1 functions",
        _PARTITION,
        draw("PSNR over noise level and pieces", "partition", draw_partition, records),
        draw("P1 functions", "functions", draw_functions, records),
        *_list_shaped(records),
        "## Edginess",
        _EDGINESS,
        show("Edginess and PSNR", "edginess", claims is not None),
        "## Borders",
        _BORDERS,
        _list_borders(records),
        show("Borders and contrasts", "borders", "borders" in records),
        _CONTRASTS,
        _list_contrasts(records),
        "### With borders and without",
        draw("What borders add", "border_gains", draw_border_gains, claims.figures["gains"])
        if claims
        else MISSING,
        _list_bordered(records),
    ]


def _list_claims(record: Record | None) -> str:
    if record is None:
        return table(("claim", "verdict"), [(text, MISSING) for text in CLAIMS.values()])
    rows = []
    for key, text in CLAIMS.items():
        findings = [each for each in record.figures["findings"] if each["claim"] == key]
        shown = "<br>".join(
            f"{_title(each['noise'])} {_number(each['value'], each['unit'])} "
            f"[{_number(each['low'], each['unit'])}, {_number(each['high'], each['unit'])}] "
            f"{'yes' if each['held'] else 'no'}"
            for each in findings
        )
        rows.append((text, _judge(findings), _unit(findings), shown or MISSING))
    return table(("claim", "verdict", "measured", "by noise: value [95 % interval] held"), rows)


def _judge(findings: Sequence[Mapping[str, Any]]) -> str:
    held = sum(each["held"] for each in findings)
    if not findings:
        return MISSING
    if held in (0, len(findings)):
        return "**held**" if held else "**not held**"
    return f"held in {held} of {len(findings)}"


def _unit(findings: Sequence[Mapping[str, Any]]) -> str:
    return findings[0]["unit"] if findings else "-"


def _number(value: float, unit: str) -> str:
    return f"{value:+.4f}" if unit == "SSIM" else f"{value:+.2f}"


def _title(noise: str) -> str:
    return NOISES[noise].title if noise in NOISES else noise.capitalize()


def _list_networks(records: Mapping[str, Record]) -> str:
    header = ("mean over levels", *[noise.title for noise in NOISES.values()])
    rows = [
        ["noisy, dB / SSIM", *[_noisy(records.get(f"classical_{noise}")) for noise in NOISES]],
        *_list_cells(records, NETWORKS),
    ]
    return table(header, rows)


def _noisy(record: Record | None) -> str:
    if record is None or "noisy" not in record.figures:
        return MISSING
    return f"{record.figures['noisy']['psnr']:.2f} / {record.figures['noisy']['ssim']:.3f}"


def _list_cells(records: Mapping[str, Record], networks: Mapping[str, str]) -> list[list[str]]:
    return [
        [title, *[_cell(records.get(f"{name}_{noise}")) for noise in NOISES]]
        for name, title in networks.items()
    ]


def _cell(record: Record | None) -> str:
    if record is None or record.has_diverged:
        return cell(record, "psnr")
    text = f"{record.figures['psnr']:.2f} / {record.figures['ssim']:.3f}"
    return f"{text}<br>{record.label}" if record.label else text


def _list_borders(records: Mapping[str, Record]) -> str:
    rows = []
    for key, noise in NOISES.items():
        record = records.get(f"borders_{key}")
        if record is None or record.has_diverged:
            rows.append([noise.title, *[cell(record, "f1")] * 3])
            continue
        levels = [
            " / ".join(f"{value:.2f}" for value in record.figures[f"{name}_levels"])
            for name in ("precision", "recall", "f1")
        ]
        rows.append([noise.title, *levels[:2], f"{levels[2]}<br>{record.label}"])
    return table(("noise, from weak to strong", "precision", "recall", "F1"), rows)


def _list_shaped(records: Mapping[str, Record]) -> list[str]:
    """The section of other functions than the slides prefer, once any of them is trained."""
    titles = {"p1": NETWORKS["p1"]} | {name: title for name, (title, _) in SHAPED.items()}
    names = {name: [f"{name}_{noise}" for noise in PARTITIONED] for name in titles}
    if not any(each in records for name in SHAPED for each in names[name]):
        return []
    header = ("mean over levels, dB / SSIM", *[NOISES[noise].title for noise in PARTITIONED])
    rows = [
        [title, *[_cell(records.get(each)) for each in names[n]]] for n, title in titles.items()
    ]
    return ["### Functions that only fall, and smooth splines", _SHAPED, table(header, rows)]


def _list_contrasts(records: Mapping[str, Record]) -> str:
    rows = []
    for key, noise in NOISES.items():
        record = records.get(f"function_1_border_{key}")
        one = records.get(f"function_1_{key}")
        mean = records.get(f"classical_{key}")
        small, large = noise.contrasts
        rows.append(
            [
                noise.title,
                f"{small:.1f}, {large:.1f}",
                _contrasts(record),
                _contrasts(one),
                _contrasts(mean),
            ]
        )
    header = ("noise", "slides: two", "here: two", "here: one", "here: classical")
    return table(header, rows)


def _contrasts(record: Record | None) -> str:
    if record is None or "contrast_levels" not in record.figures:
        return MISSING
    levels = [sorted(each) for each in record.figures["contrast_levels"]]
    means = [sum(values) / len(levels) for values in zip(*levels, strict=True)]
    return ", ".join(map(describe_contrast, means))


def _list_bordered(records: Mapping[str, Record]) -> str:
    pairs = {}
    for name in ("function_1", "p1"):
        pairs |= {name: NETWORKS[name], f"{name}_border": BORDERED[f"{name}_border"]}
    header = ("mean over levels, dB / SSIM", *[noise.title for noise in NOISES.values()])
    return table(header, _list_cells(records, pairs))


_INTRODUCTION = f"""# Learned anisotropic diffusion

In slides from December 2022, networks control Perona and Malik's diffusion: a network chooses the
contrast for each image, a piecewise linear (P1) function replaces the coefficient, and a classifier
of borders allows a separate contrast for them. The slides contain charts but few numbers, and do
not describe data or training. We repeated everything on gray photos with five kinds of noise, and
trained each network on all levels of one kind. What the slides call the variance of the noise is
called its level here. Because their length of training is unknown, "paper" next to a figure means
`--full`, {FULL_STEPS:,} steps of {FULL_BATCH}."""

_CLAIMS = f"""Differences are computed image by image on the same noisy images. Intervals are 95 %
bootstrap intervals over images, with 10,000 draws (1,000 for rank correlations). A claim holds if
its whole interval confirms it. The slides give no numbers for "little" and "as good as"; here they
mean less than {BIG} dB. Figures from short trainings show what such trainings achieve, not the
limits of the method."""

_CURVES = """Classical diffusion has the one contrast that is best on average over all training
images and levels. Function 1 is exp(-s^2/c^2), function 2 is 1/(1 + s^2/c^2), where s is the
difference of two neighbors and c is the contrast."""

_COEFFICIENTS = """The picture shows one photo that no network was trained on, at the levels in the
slides. In white areas, the first step diffuses fully; in black areas, it does not diffuse. The PSNR
is that of the denoised photo. Where a P1 function is negative, it sharpens, which is also black
here."""

_PARTITION = """Networks whose P1 functions have different numbers of pieces were trained in the
same way. In the heat maps, the number is the PSNR, and the color is its difference from two pieces
at the same level. The functions are means over test images."""

_SHAPED = """The slides doubt that the coefficient has to fall as edges get stronger, and that
splines of a degree above 1 are worth it. All functions have 20 pieces."""

_EDGINESS = """Edginess is the sum of all differences between neighbors, relative to the clean
image. Top: edginess by noise level, with the range of the middle 80 % of images. Bottom: the PSNR
of each image denoised with function 1, by the edginess of the noisy image."""

_BORDERS = """A U-Net with 105,377 weights marks pixels that differ by more than 0.1 from the right
or lower neighbor in the clean image. The slides give no threshold. Its figures on test images:"""

_CONTRASTS = """The table shows both contrasts, at borders and elsewhere, on the 0-255 scale. The
slides show them for one image per kind of noise; ours are means over images and levels. Contrasts
above 255 are larger than any difference, so such an image is diffused fully. With 1, the smallest
contrast, it is hardly diffused."""
