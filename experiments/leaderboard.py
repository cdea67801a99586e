"""The leaderboard: every network, filter and fusion on the same images, noises and budget.

    python experiments/leaderboard.py --quick
    python experiments/leaderboard.py --full

All trainings see the same number of images of the same size, in batches of the same size, and are
kept in runs/; whatever ends the command, the same one goes on. `--quick` trains briefly, `--times`
of it longer. `--full` says first how long it will take. Figures are kept in
experiments/results/leaderboard.json, and shown in docs/leaderboard.md.

    python experiments/leaderboard.py --quick --only 'unet_*' '*_speckle'

does no more than the trainings of these names, which are those on the page.
"""

from __future__ import annotations

import argparse
import dataclasses
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from board.anchors import EXAMPLE_SEED, load_validation, measure_anchors
from board.leaderboard_page import write_sections
from board.trials import FIRST, FUSIONS, IMAGES, NETWORKS, NOISES, Entry, list_trials
from common.data import add_data_option
from common.paper import RESULTS, Paper, Places, Study, reproduce
from common.records import ROOT, Results
from common.trials import Context

from kerasdenoise.evaluation.pages import wrap

PLACES = Places(RESULTS, ROOT / "docs", ROOT / "docs" / "images" / "leaderboard")
# LambdaNet and U-Net at Gaussian noise: what Poisson noise is brought to, and what diffusion is
# joined with.
JOINED = ("lambda_7", "unet")


class Board(Paper):
    """What a paper is, with results of its own name and a command of its own."""

    @property
    def command(self) -> str:
        """What makes the page: `--full` as well, and `--quick --times N`."""
        return "python experiments/leaderboard.py --quick"

    def results(self, places: Places | None = None) -> Results:
        """Returns the kept results."""
        return Results((places or PLACES).results / f"{self.name}.json")


def _cost(name: str, entry: Entry) -> Study:
    def run(context: Context, folder: Path) -> dict[str, Any]:
        from board.leaderboard_figures import measure_cost

        return measure_cost(entry.architecture, entry.config)

    return Study(f"cost_{name}", f"cost of {entry.title}", run)


def _stabilize(context: Context, folder: Path) -> dict[str, Any]:
    """Removes Poisson noise by networks for Gaussian noise, as it is and stabilized."""
    from board.anchors import denoise_photons
    from board.leaderboard_figures import measure_images
    from common.data import find_cifar10

    from kerasdenoise.evaluation.figures import add_noise, denoise

    kind = NOISES["poisson"][1]
    gain = float(kind.partition(":")[2])
    clean = find_cifar10(context.root).load_test(None if context.is_full else IMAGES)
    noisy = add_noise(clean, kind)
    figures = {}
    for name in JOINED:
        network = context.load(f"{name}_{FIRST}")
        figures[name] = {
            "as it is": measure_images(clean, denoise(network, noisy, clean)),
            "stabilized": measure_images(clean, denoise_photons(network, noisy, clean, gain)),
        }
    return figures


def _diffuse(context: Context, folder: Path) -> dict[str, Any]:
    """Diffuses before and after networks that were trained without."""
    from board.diffusing import diffuse_around
    from common.data import find_cifar10

    from kerasdenoise.evaluation.figures import add_noise

    kind = NOISES[FIRST][1]
    clean = find_cifar10(context.root).load_test(None if context.is_full else IMAGES)
    known = load_validation(context, IMAGES)
    noisy, example = add_noise(clean, kind), add_noise(known, kind, EXAMPLE_SEED)
    return {
        name: diffuse_around(context.load(f"{name}_{FIRST}"), noisy, clean, example, known)
        for name in JOINED
    }


BOARD = Board(
    name="leaderboard",
    title="Leaderboard",
    redoes="every architecture and fusion on the same images, noises and budget",
    trials=list_trials(),
    write_sections=write_sections,
    studies=(
        Study(
            "anchors",
            "filters and classical diffusion",
            lambda context, folder: measure_anchors(context, NOISES, IMAGES),
        ),
        Study(
            "anscombe",
            "Poisson noise, stabilized",
            _stabilize,
            needs=tuple(f"{name}_{FIRST}" for name in JOINED),
        ),
        Study(
            "diffused",
            "diffusion before and after a network",
            _diffuse,
            needs=tuple(f"{name}_{FIRST}" for name in JOINED),
        ),
        *(_cost(name, entry) for name, entry in (NETWORKS | FUSIONS).items()),
    ),
)


def _choose(patterns: list[str]) -> Paper:
    """Leaves the trainings whose names match, and no study."""
    trials = [
        trial for trial in BOARD.trials if any(fnmatch(trial.name, each) for each in patterns)
    ]
    return dataclasses.replace(BOARD, trials=trials, studies=())


def main() -> None:
    """Reads the command line, and does what is left to do."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--quick", action="store_true", help="train briefly: an hour in all")
    length.add_argument("--full", action="store_true", help="train on all noises, for weeks")
    length.add_argument("--page", action="store_true", help="write the page of what is kept")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="do these trainings alone")
    parser.add_argument("--times", type=int, default=1, help="train N times as long as --quick")
    parser.add_argument("--minutes", type=float, help="stop training by then, to go on later")
    add_data_option(parser)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all runs")
    arguments = parser.parse_args()
    if arguments.full and arguments.times > 1:
        parser.error("--times is for --quick")
    if arguments.only and not _choose(arguments.only).trials:
        parser.error(f"no training is called {', '.join(arguments.only)}")
    if arguments.page:
        PLACES.pictures.mkdir(parents=True, exist_ok=True)
        page = PLACES.pages / "leaderboard.md"
        page.write_text(wrap(BOARD.write_page(BOARD.results().read(), PLACES.pictures)), "utf-8")
        return
    reproduce(
        _choose(arguments.only) if arguments.only else BOARD,
        full=arguments.full,
        times=arguments.times,
        minutes=arguments.minutes,
        data=arguments.data,
        runs=arguments.runs,
        places=PLACES,
    )


if __name__ == "__main__":
    main()
