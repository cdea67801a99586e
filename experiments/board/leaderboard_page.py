"""The page of the leaderboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from common.records import MISSING, Record

from board.anchors import REFERENCE, TITLES, stabilize
from board.leaderboard_charts import draw_across, draw_places, draw_ranking
from board.leaderboard_figures import compare
from board.trials import (
    FIRST,
    FULL_BATCH,
    FULL_STEPS,
    FUSIONS,
    NETWORKS,
    NOISE2NOISE,
    NOISES,
)
from kerasdenoise.evaluation.pages import table

Records = Mapping[str, Record]
_UNFAIR = "other steps than its rival"
# What is joined with trained networks, by the study that does it and the keys of its figures.
_JOINED = {
    "diffused": {"before": "diffusion before {}", "after": "diffusion after {}"},
    "anscombe": {"stabilized": "Anscombe's transform before and after {}, Poisson"},
}
_GAIN = "gain over Perona-Malik [95 %]"


def write_sections(records: Records, pictures: Path) -> list[str]:
    """Writes the sections of the page of whatever was run, and draws its pictures."""
    return [
        _introduce(records, pictures),
        _all_noises(records),
        _costs(records),
        _places(records, pictures),
        _across(records, pictures),
        _noisy_targets(records),
        _fusions(records),
    ]


def verdict(difference: tuple[float, float, float]) -> str:
    """Says in words what an interval of a difference in PSNR means."""
    _, low, high = difference
    return "gains" if low > 0 else "loses" if high < 0 else "no difference to be seen"


def _introduce(records: Records, pictures: Path) -> str:
    anchors = _anchors(records, FIRST)
    rows = {TITLES[name]: each["psnr"] for name, each in anchors.items()}
    names = {name: records.get(f"{name}_{FIRST}") for name in NETWORKS}
    trained = {NETWORKS[name].title: each.figures["psnr"] for name, each in _done(names)}
    fused = {
        FUSIONS[name].title: _mean(each.figures["across"][FIRST])
        for name, each in _done({name: records.get(name) for name in FUSIONS})
    }
    if rows or trained:
        draw_ranking(rows, trained, fused, pictures / "ranking.png", title=_heading(records))
    note = _note(_done(names), anchors)
    picture = "![PSNR of each at Gaussian noise of 0.1](images/leaderboard/ranking.png)"
    return f"""# Leaderboard

This page compares all networks, filters and fusions on the same test images with the same noise:
CIFAR-10, 32x32 pixels in color. **Budget:** all trainings see the same number of images in batches
of the same size, whatever a step costs, with an L2 loss and the same schedule. All networks have
the same learning rate, with two exceptions: it is higher for diffusion, whose few weights must move
further, and lower for the Poisson autoencoder, whose code would otherwise go silent. Nothing was
chosen on test images. PSNR has peak 1 and is the mean over images.

{note}

{picture if rows or trained else ""}"""


def _note(trained: list[tuple[str, Record]], anchors: Mapping[str, Any]) -> str:
    """Says what to make of trainings that were short."""
    steps = {f"{each.steps:,} steps of {each.batch}" for _, each in trained if each.label}
    if not steps:
        return ""
    beaten = ""
    if REFERENCE in anchors:
        classical = anchors[REFERENCE]["psnr"]
        better = sum(each.figures["psnr"] > classical for _, each in trained)
        beaten = (
            f" {better} of {len(trained)} are above classical diffusion, which needs no training."
        )
    return (
        f"**Partial.** The networks were trained for {' or '.join(sorted(steps))} images, not for "
        f"the {FULL_STEPS:,} of {FULL_BATCH} of `--full`. So short a training shows which learn "
        f"fast, not which are best.{beaten} Each cell says its steps x images in each."
    )


def _all_noises(records: Records) -> str:
    rows = []
    for name, title in TITLES.items():
        cells = []
        for noise in NOISES:
            anchor = _anchors(records, noise).get(name)
            chosen = f" ({anchor['chosen']:.3g})" if anchor and "chosen" in anchor else ""
            cells.append(f"{anchor['psnr']:.2f}{chosen}" if anchor else MISSING)
        rows.append([f"*{title}*", *cells])
    for name, entry in NETWORKS.items():
        rows.append([entry.title, *(_cell(records.get(f"{name}_{noise}")) for noise in NOISES)])
    kinds = ", ".join(f"{title} `{kind}`" for title, kind in NOISES.values())
    return f"""## PSNR in dB, each trained for that noise

Noises: {kinds}; see [kinds of noise](noise.md). Brackets show what was chosen on validation images:
the Gaussian filter's standard deviation, the median's side, the contrast. The oracle's contrast is
the best of 41 for each image, chosen with the clean image. No other choice of one contrast per
image can be much better.

{table(("", *(title for title, _ in NOISES.values())), rows)}"""


def _costs(records: Records) -> str:
    classical = _anchors(records, FIRST).get(REFERENCE)
    rows = []
    for name, entry in (NETWORKS | FUSIONS).items():
        record = records.get(name if name in FUSIONS else f"{name}_{FIRST}")
        cost = records.get(f"cost_{name}")
        gain = MISSING
        if record and classical and not record.has_diverged:
            images = record.figures["across"][FIRST]
            gain = _interval(compare(images, classical["psnr_images"]))
        ssim = _cell(record, "ssim", 3) if name not in FUSIONS or _is_plain(name) else "-"
        rows.append([entry.title, ssim, gain, *_cost_cells(cost)])
    header = (
        "Gaussian .1",
        "SSIM",
        _GAIN,
        "weights",
        "MAC a pixel",
        "LiteRT, ms",
        "memory, bytes a pixel",
    )
    return f"""## What each gains, and what it costs

The gain is over diffusion with one contrast for all images, image by image, with its interval by
bootstrap over images: 4,000 draws. MAC are the multiplications of kernels; diffusion has next to
none and yet takes time, as its work is not in kernels. LiteRT: processor time for a color
image of 256x256 pixels on one thread, the least of five runs. Memory: by how much the peak grows
with each pixel of an image.

{table(header, rows)}"""


def _places(records: Records, pictures: Path) -> str:
    rows, shown = [], {}
    for title, figures, record in _measured(records):
        label = f"<br>{_label(record)}" if record and _label(record) else ""
        rows.append(
            [
                title,
                f"{figures['border']:.2f}{label}",
                f"{figures['smooth']:.2f}",
                *(f"{each:.2f}" for each in figures["terciles"]),
            ]
        )
        shown[title] = (figures["border"], figures["smooth"])
    if not rows:
        return ""
    draw_places(shown, pictures / "places.png", title=_heading(records))
    share = next(_measured(records))[1]["border_share"]
    header = ("Gaussian .1, PSNR in dB", "borders", "smooth parts", "calm images", "middle", "busy")
    return f"""## Borders and smooth parts

Borders are the {100 * share:.0f} % of pixels that differ by more than 0.1 from a neighbor in the
clean image. Their PSNR, and that of the rest, is of the mean squared error over all such pixels.
Calm, middle and busy are the thirds of the images with the least to the most edginess, the sum of
differences between neighbors; theirs is the mean PSNR.

![Borders against smooth parts](images/leaderboard/places.png)

{table(header, rows)}"""


def _across(records: Records, pictures: Path) -> str:
    rows = []
    values: dict[str, dict[str, list[float]]] = {}
    for name, entry in NETWORKS.items():
        for trained, (trained_title, _) in NOISES.items():
            record = records.get(f"{name}_{trained}")
            if record is None or record.has_diverged:
                continue
            means = [_mean(record.figures["across"][noise]) for noise in NOISES]
            first, *others = (f"{value:.2f}" for value in means)
            label = _label(record)
            rows.append(
                [entry.title, trained_title, f"{first}<br>{label}" if label else first, *others]
            )
            values.setdefault(entry.title, {})[trained_title] = means
    if not rows:
        return ""
    titles = [title for title, _ in NOISES.values()]
    noisy = [_anchors(records, noise).get("identity", {}).get("psnr") for noise in NOISES]
    draw_across(values, titles, noisy, pictures / "across.png", title=_heading(records))
    return f"""## Trained for one noise, tried on another

![PSNR of each network on each noise](images/leaderboard/across.png)

{table(("network", "trained for", *titles), rows)}

A network with the same figure for every noise has not yet learned to use its input."""


def _noisy_targets(records: Records) -> str:
    rows = []
    for name, entry in NETWORKS.items():
        cells = []
        for noise in NOISES:
            if noise not in NOISE2NOISE:
                cells.append("-")
                continue
            clean = records.get(f"{name}_{noise}")
            noisy = records.get(f"{name}_{noise}_noise2noise")
            if not clean or not noisy or clean.has_diverged or noisy.has_diverged:
                cells.append(MISSING)
                continue
            if not _is_fair(noisy, clean):
                cells.append(_UNFAIR)
                continue
            change = compare(noisy.figures["psnr_images"], clean.figures["psnr_images"])
            label = _label(noisy)
            cells.append(
                f"{noisy.figures['psnr']:.2f}<br>{_interval(change)}"
                + (f"<br>{label}" if label else "")
            )
        rows.append([entry.title, *cells])
    return f"""## Noisy targets

PSNR in dB of training with a second noisy image as the target (Noise2Noise), and the gain over
clean targets after the same number of steps. Noisy targets are compared by L2 if the noise has mean
zero, and by L1 for speckle and salt and pepper. Their noise does not have mean zero, but the median
of the noisy images is the clean image. For blur and inpainting, nothing can be learned this way,
because both images lack the same detail.

{table(("", *(title for title, _ in NOISES.values())), rows)}"""


def _fusions(records: Records) -> str:
    rows = []
    for name, fusion in FUSIONS.items():
        record, rival = records.get(name), records.get(fusion.rival)
        for noise in fusion.shown:
            title = f"{fusion.title}, {NOISES[noise][0]}"
            if not record or not rival or record.has_diverged or rival.has_diverged:
                rows.append([title, MISSING, MISSING, MISSING, "-"])
                continue
            if not _is_fair(record, rival):
                rows.append([title, _UNFAIR, _UNFAIR, "-", "-"])
                continue
            ours, theirs = (each.figures["across"][noise] for each in (record, rival))
            change = compare(ours, theirs)
            label = _label(record)
            rows.append(
                [
                    title,
                    f"{_mean(ours):.2f}" + (f"<br>{label}" if label else ""),
                    f"{_mean(theirs):.2f}",
                    _interval(change),
                    verdict(change),
                ]
            )
    rows += [row for study, what in _JOINED.items() for row in _joined(records, study, what)]
    _, level = stabilize(np.zeros(1), float(NOISES["poisson"][1].partition(":")[2]))
    ideas = "\n".join(f"- **{each.title}.** {each.idea}" for each in FUSIONS.values())
    return f"""## Fusions

{ideas}
- **Diffusion before or after a network** that was trained without it, with the contrast that is
  best on validation images, in brackets. 1/255, the least that is tried, changes next to nothing.
- **Anscombe's transform.** Poisson noise is brought to the same level everywhere, so that a network
  that was trained for Gaussian noise alone can remove it: of {level:.2f}, where the network was
  trained for 0.1. The rival is that network as it is.

A verdict says whether the interval of the difference, image by image, is above or below zero. It
applies to the number of steps in the cell.

{table(("fusion", "PSNR, dB", "without, dB", "difference [95 %]", "verdict"), rows)}

We have not tried border probability as an input channel."""


def _joined(records: Records, study: str, what: Mapping[str, str]) -> Iterator[list[object]]:
    """Gives a row for each network that something was joined with after its training."""
    record = records.get(study)
    for name, figures in (record.figures if record else {}).items():
        label = _label(records.get(f"{name}_{FIRST}"))
        alone = figures["as it is"]
        for key, title in what.items():
            joined = figures[key]
            change = compare(joined["psnr_images"], alone["psnr_images"])
            chosen = f" ({joined['chosen']:.3g})" if "chosen" in joined else ""
            yield [
                title.format(NETWORKS[name].title),
                f"{joined['psnr']:.2f}{chosen}" + (f"<br>{label}" if label else ""),
                f"{alone['psnr']:.2f}",
                _interval(change),
                verdict(change),
            ]


def _measured(records: Records) -> Iterator[tuple[str, dict[str, Any], Record | None]]:
    """Gives title, figures and record of all that was measured on the first noise."""
    for name, figures in _anchors(records, FIRST).items():
        yield f"*{TITLES[name]}*", figures, None
    for name, entry in NETWORKS.items():
        record = records.get(f"{name}_{FIRST}")
        if record and not record.has_diverged:
            yield entry.title, record.figures, record
    for name, fusion in FUSIONS.items():
        record = records.get(name)
        if record and not record.has_diverged and _is_plain(name):
            yield fusion.title, record.figures, record


def _is_plain(fusion: str) -> bool:
    """Whether a fusion was trained for the first noise alone."""
    return FUSIONS[fusion].noise == NOISES[FIRST][1]


def _anchors(records: Records, noise: str) -> dict[str, Any]:
    record = records.get("anchors")
    return record.figures.get(noise, {}) if record else {}


def _done(records: Mapping[str, Record | None]) -> list[tuple[str, Record]]:
    return [(name, each) for name, each in records.items() if each and not each.has_diverged]


def _is_fair(one: Record, other: Record) -> bool:
    """Whether two trainings had the same budget."""
    return (one.steps, one.batch) == (other.steps, other.batch)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _heading(records: Records) -> str:
    """What pictures say of trainings that were short."""
    labels = {_label(records.get(f"{name}_{FIRST}")) for name in NETWORKS}
    return "; ".join(sorted(filter(None, labels)))


def _label(record: Record | None) -> str:
    if record is None or record.share >= 1:
        return ""
    return f"partial: {record.steps:,} x {record.batch}"


def _cell(record: Record | None, figure: str = "psnr", digits: int = 2) -> str:
    if record is None:
        return MISSING
    if record.has_diverged:
        return "diverged"
    label = _label(record)
    return f"{record.figures[figure]:.{digits}f}" + (f"<br>{label}" if label else "")


def _interval(difference: tuple[float, float, float]) -> str:
    mean, low, high = difference
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def _cost_cells(record: Record | None) -> list[str]:
    if record is None:
        return [MISSING] * 4
    figures = record.figures
    return [
        f"{figures['parameters']:,}",
        f"{figures['mac_per_pixel']:,}",
        f"{figures['milliseconds']:.0f}",
        f"{figures['bytes_per_pixel']:,}",
    ]
