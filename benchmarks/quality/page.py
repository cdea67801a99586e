"""The page: tables in Markdown of all that was measured, and of what others published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.quality import published
from benchmarks.quality.cells import (
    NONE,
    code,
    cost_cells,
    decibels,
    method_name,
    noisy_psnr,
    psnr_at,
    render_table,
    set_heading,
    sigmas,
    speed,
    ssim_at,
)
from benchmarks.quality.measuring import Scores
from benchmarks.quality.published import Published
from benchmarks.quality.report import Report
from benchmarks.quality.sets import (
    BEYOND,
    CLEAN,
    COLOR,
    COMPARED,
    GRAY,
    LEVELS,
    OTHER,
    OTHERS,
    PAIRS,
    REAL,
    ImageSet,
)


def render_page(report: Report, picture: str) -> str:
    """Writes the page.

    Args:
        report: What was measured.
        picture: The picture's path, from where the page is.
    """
    sections = [
        _introduction(picture),
        _denoisers(report),
        _color(report),
        _peers(report),
        _gray(report),
        _real(report),
        _other(report),
        _sources(),
    ]
    return "\n\n".join(sections) + "\n"


def _introduction(picture: str) -> str:
    return f"""# Quality

`make quality` measures the saved models and the peers that are installed, and writes this page and
its picture.

![PSNR on CBSD68 at sigma 25 against multiply-accumulates per pixel]({picture})

Each model runs from the files, and through the code, that `kerasdenoise denoise` uses, and is never
told the level of the noise. With `--quality best` it denoises all eight flips and turns of an
image, whose mean is the result. PSNR and SSIM are means over images, of RGB or gray values. As in
published tables, Gaussian noise is added in floating point with a fixed seed and not clipped; the
denoised image is. Sigma is given of 255. Rows marked *published* were not measured here."""


def _denoisers(report: Report) -> str:
    rows = [
        [method_name(report, method), *cost_cells(method.cost), speed(report, method)]
        for method in (*report.models, *report.peers)
    ]
    headings = ["denoiser", "parameters", "kMAC per pixel", "seconds per megapixel"]
    return f"""## Denoisers

{render_table(headings, rows)}

kMAC are thousands of multiply-accumulates. Seconds are those of one image of {COLOR[0].title},
measured in turns, threads: {report.threads}; they compare denoisers, not machines.

{_settings(report)}"""


def _settings(report: Report) -> str:
    if not report.peers:
        return "No peer is installed."
    lines = "\n".join(f"- {peer.title}: {peer.origin}" for peer in report.peers)
    return f"""Versions and settings of the peers:

{lines}

A factor is a setting in units of sigma, the best on average over sigma {sigmas(LEVELS)} on images
of `validation/`. OpenCV gets the noisy image clipped and rounded to 8 bits, which is all that it
takes. CBM3D is by Y. Mäkinen, L. Azzari and A. Foi; the package is for non-commercial use only."""


def _color(report: Report) -> str:
    headings = ["denoiser", "told sigma", *(set_heading(report, images) for images in COLOR)]
    rows = [
        [code(model), "no", *(psnr_at(report, model, images, LEVELS) for images in COLOR)]
        for model in report.models_on(*COLOR)
    ]
    rows += _published(published.COLOR, COLOR)
    similarity = [
        [code(model), *(ssim_at(report, model, images, LEVELS) for images in COLOR)]
        for model in report.models_on(*COLOR)
    ]
    costs = [
        [f"{row.title}, *published*", *cost_cells(row.cost)] for row in published.COLOR if row.cost
    ]
    return f"""## Gaussian noise, color

PSNR in dB at sigma {sigmas(LEVELS)}:

{render_table(headings, rows)}

SSIM:

{render_table(["denoiser", *headings[2:]], similarity)}

What the published networks compute:

{render_table(["network", "parameters", "kMAC per pixel"], costs)}"""


def _peers(report: Report) -> str:
    images, noise = COLOR[0], LEVELS[1]
    rows = [
        [
            method_name(report, method),
            "no" if method in report.models else "yes",
            psnr_at(report, method, images, LEVELS, COMPARED),
            ssim_at(report, method, images, LEVELS, COMPARED),
            decibels(report.scores(method, images.title, noise)),
        ]
        for method in (*report.models, *report.peers)
    ]
    first = min(COMPARED, report.count(images.title, noise))
    headings = [
        "denoiser",
        "told sigma",
        f"PSNR at {sigmas(LEVELS)}, first {first}",
        "SSIM",
        f"PSNR at {sigmas([noise])}, all {report.count(images.title, noise)}",
    ]
    return f"""## Beside classical denoisers

On the first {first} images of {images.title} by name, since some are slow, and on all of them where
they are not. All were measured here, on the same noisy images.

{render_table(headings, rows)}"""


def _gray(report: Report) -> str:
    levels = LEVELS + BEYOND
    headings = ["denoiser", "told sigma", *(set_heading(report, images) for images in GRAY)]
    rows = [
        [code(model), "no", *(psnr_at(report, model, images, levels) for images in GRAY)]
        for model in report.models_on(*GRAY)
    ]
    rows += _published(published.GRAY, GRAY)
    return f"""## Gaussian noise, gray

PSNR in dB at sigma {sigmas(levels)}. A color model sees a gray image as three equal channels.
{sigmas(BEYOND)} lie beyond the noise that the models were trained with, which their cards name.

{render_table(headings, rows)}"""


def _real(report: Report) -> str:
    images, count = REAL.title, report.count(REAL.title, PAIRS)
    first = min(COMPARED, count)

    def both(scores: Scores | None) -> str:
        return NONE if scores is None else f"{scores.psnr:.2f} / {scores.ssim:.4f}"

    rows = [
        [
            method_name(report, method),
            both(report.scores(method, images, PAIRS)),
            both(report.scores(method, images, PAIRS, COMPARED)),
        ]
        for method in (*report.models, *report.peers)
    ]
    noisy = [
        "noisy",
        noisy_psnr(report, images, PAIRS),
        noisy_psnr(report, images, PAIRS, COMPARED),
    ]
    return f"""## Real photos

{images}: photos of cameras, and the means of many photos of the same. PSNR in dB / SSIM; peers are
told the level that scikit-image's `estimate_sigma` finds in each photo.

{render_table(["denoiser", f"all {count} pairs", f"first {first}"], [noisy, *rows])}"""


def _other(report: Report) -> str:
    noises = (*OTHERS, CLEAN)
    headings = ["denoiser", *(f"`{noise}`" for noise in OTHERS), "no noise"]
    rows = [["noisy", *(noisy_psnr(report, OTHER.title, noise) for noise in noises)]]
    rows += [
        [
            code(model),
            *(decibels(report.scores(model, OTHER.title, noise)) for noise in noises),
        ]
        for model in report.models_on(OTHER)
    ]
    count = report.count(OTHER.title, CLEAN)
    return f"""## Other noise

PSNR in dB on the first {count} images of CID22's validation set: noise that [noise.md](noise.md)
describes, Gaussian noise that was then saved as JPEG of a quality, and none at all, where PSNR
says how little a clean image is changed.

{render_table(headings, rows)}"""


def _sources() -> str:
    notes = [f"[^{key}]: {text}." for key, text in published.SOURCES.items()]
    return "\n".join(notes)


def _published(rows: Iterable[Published], sets: Sequence[ImageSet]) -> list[list[str]]:
    return [
        [
            f"{row.title}, *published*{''.join(f'[^{key}]' for key in row.sources)}",
            "yes" if row.told else "no",
            *(" / ".join(f"{value:.2f}" for value in row.psnr[images.title]) for images in sets),
        ]
        for row in rows
    ]
