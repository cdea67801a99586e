"""How well the models denoise, beside other denoisers: `python experiments/quality.py`.

Writes docs/quality.md and its picture. What was measured before, of the same files, is not measured
again; all figures are kept in experiments/results/quality.json. Peers are measured if they are
installed: `pip install .[peers]`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from common.data import add_data_option
from denoisers import published
from denoisers.methods import Method, find_methods
from denoisers.quality_chart import Line, Point, draw_picture
from denoisers.quality_page import render_page
from denoisers.scores import Cache, Report, Row, choose_setting, measure_row, time_all
from denoisers.standard_sets import (
    ALL,
    CHOICE,
    COLOR,
    COMPARED,
    FEW,
    LEVELS,
    ImageSet,
    Source,
)

from kerasdenoise.errors import KerasDenoiseError
from kerasdenoise.evaluation.peers import PEERS
from kerasdenoise.files import write_file

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results" / "quality.json"

# What the picture shows: all can be compared there, since it was published for many networks.
_SHOWN = (COLOR[0].title, LEVELS[1])


def measure_all(arguments: argparse.Namespace) -> Report:
    """Measures what is not in the cache."""
    cache = Cache(arguments.cache, forget=arguments.again)
    sources = {
        (images, noise): Source(images, noise, arguments.data)
        for images in (*ALL, CHOICE)
        for noise in images.noises
    }
    models = find_methods(arguments.model, arguments.threads)
    choice = [source for (images, _), source in sources.items() if images is CHOICE]
    peers = [choose_setting(peer, choice, cache) for peer in PEERS if peer.version]
    rows = {}
    for method, images, noise, count in (*_of_models(models), *_of_peers(peers)):
        limits = [limit for limit in (count, arguments.images) if limit is not None]
        row = Row(method.title, images.title, noise)
        source = sources[images, noise]
        rows[row] = measure_row(method, source, cache, min(limits, default=None))
    timed = sources[COLOR[0], LEVELS[1]]
    seconds = time_all([*models, *peers], timed, cache, arguments.threads)
    return Report(models, peers, rows, seconds, arguments.threads)


Task = tuple[Method, ImageSet, str, int | None]


def _of_models(models: Iterable[Method]) -> Iterator[Task]:
    for model in models:
        for images in FEW if model.few else ALL:
            for noise in images.noises:
                yield model, images, noise, None


def _of_peers(peers: Iterable[Method]) -> Iterator[Task]:
    for peer in sorted(peers, key=lambda peer: peer.slow):
        for images in FEW:
            for noise in images.noises:
                all_of_them = (images.title, noise) == _SHOWN and not peer.slow
                yield peer, images, noise, None if all_of_them else COMPARED


def find_points(report: Report) -> list[Point]:
    """The networks that the picture shows, measured or published."""
    images, noise = _SHOWN
    points = []
    for model in report.models:
        scores = report.scores(model, images, noise)
        if scores is not None and model.cost is not None and model.cost.mac is not None:
            points.append(Point(model.title, scores.psnr, model.cost.mac / 1000, ours=True))
    for row in published.COLOR:
        if row.cost is not None and row.cost.mac is not None:
            psnr = row.psnr[images][LEVELS.index(noise)]
            points.append(Point(row.title, psnr, row.cost.mac / 1000, ours=False))
    return points


def find_lines(report: Report) -> list[Line]:
    """The other denoisers that the picture shows: peers that were measured on the whole set."""
    images, noise = _SHOWN
    scores = {peer.title: report.scores(peer, images, noise) for peer in report.peers}
    lines = [Line(title, each.psnr) for title, each in scores.items() if each is not None]
    for row in published.COLOR:
        if row.cost is None:
            psnr = row.psnr[images][LEVELS.index(noise)]
            lines.append(Line(f"{row.title}, as published", psnr))
    return lines


def write_report(report: Report, folder: Path) -> None:
    """Writes the page and its picture."""
    picture = Path("images") / "quality.png"
    (folder / picture.parent).mkdir(parents=True, exist_ok=True)
    title = f"{_SHOWN[0]}, Gaussian noise of sigma 25 of 255"
    draw_picture(find_points(report), find_lines(report), title, folder / picture)
    write_file(folder / "quality.md", render_page(report, picture.as_posix()))


def main(options: list[str] | None = None) -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description="How well the models denoise.")
    parser.add_argument(
        "--model",
        nargs="+",
        default=[],
        metavar="NAME|FOLDER",
        help="models to measure; every general denoiser that is saved if none",
    )
    parser.add_argument("--images", type=int, metavar="N", help="only the first N of each set")
    parser.add_argument("--threads", type=int, default=2)
    add_data_option(parser)
    parser.add_argument("--cache", type=Path, default=RESULTS)
    parser.add_argument("--output", type=Path, default=ROOT / "docs", metavar="FOLDER")
    parser.add_argument("--again", action="store_true", help="forget what was measured before")
    arguments = parser.parse_args(options)
    try:
        write_report(measure_all(arguments), arguments.output)
    except KerasDenoiseError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
