"""The page: tables in Markdown of all that was measured, and of what others published."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from denoisers import published
from denoisers.methods import Cost, Method, level_of
from denoisers.published import Published
from denoisers.scores import Report, Scores
from denoisers.standard_sets import (
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
from kerasdenoise.evaluation.figures import LOW_FREQUENCY
from kerasdenoise.evaluation.pages import table

# What was not measured, or is not known.
_NONE = "-"


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
        _hard_cases(),
        _other(report),
        _sources(),
    ]
    return "\n\n".join(sections) + "\n"


def _introduction(picture: str) -> str:
    return f"""# Quality

`make quality` measures the saved models and the other denoisers that are installed, and writes this
page and its picture.

![PSNR on CBSD68 at sigma 25 against multiply-accumulates per pixel]({picture})

Each model runs as in `kerasdenoise denoise`, with the same files and code, and is never told the
noise level. With `--quality best`, the result is the mean over all eight flips and rotations of an
image. PSNR and SSIM are means over images, computed from RGB or gray values. As in published
tables, Gaussian noise is added in floating point with a fixed seed, and only the denoised image is
clipped. Sigma is on the 0-255 scale. Rows marked *published* were not measured here."""


def _denoisers(report: Report) -> str:
    rows = [
        [_method_name(report, method), *_cost_cells(method.cost), _speed(report, method)]
        for method in (*report.models, *report.peers)
    ]
    headings = ["denoiser", "parameters", "kMAC per pixel", "seconds per megapixel"]
    return f"""## Denoisers

{table(headings, rows)}

kMAC means thousand multiply-accumulates. Seconds were measured in turns with {report.threads}
threads on one image of {COLOR[0].title}; they compare denoisers, not machines.

{_settings(report)}"""


def _settings(report: Report) -> str:
    if not report.peers:
        return "No other denoiser is installed."
    lines = "\n".join(f"- {peer.title}: {peer.origin}" for peer in report.peers)
    return f"""Versions and settings of the other denoisers:

{lines}

A factor is a setting in units of sigma. It is the best on average over sigma {_sigmas(LEVELS)} on
images of `validation/`. OpenCV accepts only 8 bits, so it gets the noisy image clipped and rounded.
CBM3D is by Y. Mäkinen, L. Azzari and A. Foi; the package is for non-commercial use only."""


def _color(report: Report) -> str:
    headings = ["denoiser", "told sigma", *(_set_heading(report, images) for images in COLOR)]
    rows = [
        [_code(model), "no", *(_psnr_at(report, model, images, LEVELS) for images in COLOR)]
        for model in report.models_on(*COLOR)
    ]
    rows += _published(published.COLOR, COLOR)
    similarity = [
        [_code(model), *(_ssim_at(report, model, images, LEVELS) for images in COLOR)]
        for model in report.models_on(*COLOR)
    ]
    costs = [
        [f"{row.title}, *published*", *_cost_cells(row.cost)] for row in published.COLOR if row.cost
    ]
    return f"""## Gaussian noise, color

PSNR in dB at sigma {_sigmas(LEVELS)}:

{table(headings, rows)}

SSIM:

{table(["denoiser", *headings[2:]], similarity)}

What the published networks compute:

{table(["network", "parameters", "kMAC per pixel"], costs)}"""


def _peers(report: Report) -> str:
    images, noise = COLOR[0], LEVELS[1]
    rows = [
        [
            _method_name(report, method),
            "no" if method in report.models else "yes",
            _psnr_at(report, method, images, LEVELS, COMPARED),
            _ssim_at(report, method, images, LEVELS, COMPARED),
            _decibels(report.scores(method, images.title, noise)),
        ]
        for method in (*report.models, *report.peers)
    ]
    first = min(COMPARED, report.count(images.title, noise))
    headings = [
        "denoiser",
        "told sigma",
        f"PSNR at {_sigmas(LEVELS)}, first {first}",
        "SSIM",
        f"PSNR at {_sigmas([noise])}, all {report.count(images.title, noise)}",
    ]
    return f"""## Comparison with classical denoisers

Some denoisers are slow, so all are compared on the first {first} images of {images.title}; the last
column has all images. All were measured here, on the same noisy images.

{table(headings, rows)}"""


def _gray(report: Report) -> str:
    levels = LEVELS + BEYOND
    headings = ["denoiser", "told sigma", *(_set_heading(report, images) for images in GRAY)]
    rows = [
        [_code(model), "no", *(_psnr_at(report, model, images, levels) for images in GRAY)]
        for model in report.models_on(*GRAY)
    ]
    rows += _published(published.GRAY, GRAY)
    return f"""## Gaussian noise, gray

PSNR in dB at sigma {_sigmas(levels)}. A color model sees a gray image as three equal channels.
{_sigmas(BEYOND)} are beyond the noise in training, which the models' cards list.

{table(headings, rows)}"""


def _real(report: Report) -> str:
    tables = "\n\n".join(_real_set(report, images) for images in REAL)
    return f"""## Real photos

Camera photos from the PolyU set, compared with the mean of many photos of the same scene. They are
development sets: the simulated cameras were compared with them, and they decided which of several
trainings was best. PSNR in dB / SSIM. *Tone* is the low-frequency error: the root mean square of
the difference from the truth, smoothed by a Gaussian window of {LOW_FREQUENCY:g} pixels, in 1/255.
*Level* is the estimated noise level divided by the true one, as the median over photos. The other
denoisers are told the level that scikit-image's `estimate_sigma` finds in each photo.

{tables}"""


def _real_set(report: Report, images: ImageSet) -> str:
    count = report.count(images.title, PAIRS)

    def cells(method: Method, first: int | None) -> list[str]:
        scores = report.scores(method, images.title, PAIRS, first)
        if scores is None:
            return [_NONE] * 3
        return [
            f"{scores.psnr:.2f} / {scores.ssim:.4f}",
            _finite(scores.tone),
            _finite(scores.level),
        ]

    def noisy(first: int | None) -> list[str]:
        scores = report.scores(report.models[0], images.title, PAIRS, first)
        tone = _NONE if scores is None else _finite(scores.noisy_tone)
        return [_noisy_psnr(report, images.title, PAIRS, first), tone, _NONE]

    rows = [
        [_method_name(report, method), *cells(method, None), *cells(method, COMPARED)]
        for method in (*report.models, *report.peers)
    ]
    headings = ["denoiser", f"all {count} pairs", "tone", "level"]
    headings += [f"first {min(COMPARED, count)}", "tone", "level"]
    text = table(headings, [["noisy", *noisy(None), *noisy(COMPARED)], *rows])
    return f"{images.title}:\n\n{text}"


def _finite(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else _NONE


def _hard_cases() -> str:
    return """## Hard cases

Regular patterns and extreme values look like noise to a network, or mislead it. `python
experiments/gallery.py` draws six of them and what `photo` makes of them, with the change of their
mean. The last one, simulated camera noise, is what it was trained for.

![Six pictures, and the same six denoised](images/hard_cases.png)"""


def _other(report: Report) -> str:
    noises = (*OTHERS, CLEAN)
    headings = ["denoiser", *(f"`{noise}`" for noise in OTHERS), "no noise"]
    rows = [["noisy", *(_noisy_psnr(report, OTHER.title, noise) for noise in noises)]]
    rows += [
        [
            _code(model),
            *(_decibels(report.scores(model, OTHER.title, noise)) for noise in noises),
        ]
        for model in report.models_on(OTHER)
    ]
    count = report.count(OTHER.title, CLEAN)
    return f"""## Other noise

PSNR in dB on the first {count} images of CID22's validation set. The columns are kinds of noise
from [noise.md](noise.md), Gaussian noise that was then saved as JPEG at a given quality, and no
noise, where PSNR shows how little a clean image is changed.

{table(headings, rows)}"""


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


def _set_heading(report: Report, images: ImageSet) -> str:
    """A set's title, and how many of its images were measured."""
    return f"{images.title}, {report.count(images.title, images.noises[0])} images"


def _psnr_at(
    report: Report,
    method: Method,
    images: ImageSet,
    noises: Sequence[str],
    count: int | None = None,
) -> str:
    """PSNR in dB with each kind of noise, on all images of a set or the first ones."""
    return " / ".join(
        _decibels(report.scores(method, images.title, noise, count)) for noise in noises
    )


def _ssim_at(
    report: Report,
    method: Method,
    images: ImageSet,
    noises: Sequence[str],
    count: int | None = None,
) -> str:
    """SSIM with each kind of noise, on all images of a set or the first ones."""
    scores = [report.scores(method, images.title, noise, count) for noise in noises]
    return " / ".join(_NONE if each is None else f"{each.ssim:.4f}" for each in scores)


def _decibels(scores: Scores | None) -> str:
    """PSNR of the denoised images, unless all of them equal the clean ones."""
    if scores is None:
        return _NONE
    return "exact" if math.isinf(scores.psnr) else f"{scores.psnr:.2f}"


def _noisy_psnr(report: Report, images: str, noise: str, count: int | None = None) -> str:
    """PSNR of the noisy images, which any denoiser was given."""
    scores = report.scores(report.models[0], images, noise, count)
    return _NONE if scores is None or math.isinf(scores.noisy) else f"{scores.noisy:.2f}"


def _cost_cells(cost: Cost | None) -> list[str]:
    """Parameters, and thousands of multiply-accumulates per pixel in three digits at least."""
    if cost is None:
        return [_NONE, _NONE]
    kmac = _NONE
    if cost.mac:
        digits = max(0, 2 - math.floor(math.log10(cost.mac / 1000)))
        kmac = f"{cost.mac / 1000:,.{digits}f}"
    return [f"{cost.parameters:,}", kmac]


def _speed(report: Report, method: Method) -> str:
    """Seconds per megapixel."""
    seconds = report.seconds.get(method.title)
    return _NONE if seconds is None else f"{seconds:.2f}"


def _sigmas(noises: Sequence[str]) -> str:
    """The levels of Gaussian noise, of 255."""
    return " / ".join(f"{255 * (level_of(noise) or 0):g}" for noise in noises)


def _method_name(report: Report, method: Method) -> str:
    """How a denoiser is written: a model as what is typed to use it."""
    return _code(method) if method in report.models else method.title


def _code(method: Method) -> str:
    """What is typed to use a model."""
    return f"`{method.title}`"
