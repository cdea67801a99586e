"""Searches settings of two networks, compares the winners with the usual ones, writes a page.

    python experiments/tuning_study.py

It searches LambdaNet's settings on CIFAR-10 and those of the U-Net of `photo` on photos, all trials
with the same number of multiply-accumulates. Then the winner and the usual settings are trained
with several seeds each, as long as a trial was, and measured on images that the search never saw.
All of it goes on where it was stopped. Writes docs/tuning_study.md and its pictures.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.data import add_data_option
from common.processes import run_each

from kerasdenoise.files import write_file
from kerasdenoise.runtime import prepare_keras

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CIFAR = "cifar10/cifar10_lossless_subset.npz"
PHOTOS = ("train/clic2025", "train/gb82", "train/budgie", "train/cid22")
HELD_OUT = "validation/cid22"
# Of these photos the search measures the first, and the comparison the others.
SEARCHED, CROP = 16, 192
SEED = 20261124
USUAL, WINNER = "usual", "winner"

_INTRODUCTION = """Two studies searched for settings as [tuning](tuning.md) describes, and each
winner was compared with the usual settings. All trainings were short, so settings that learn fast
win. After long training, others may be better."""


@dataclass(frozen=True)
class Plan:
    """What is searched, and what its winner is compared with.

    Attributes:
        title: What the page calls it.
        architecture: What is tuned.
        tuner: How.
        usual: The settings that are usual, by section and name.
        usual_title: What the page calls these.
        noises: What the comparison is measured on.
        measured: What the page calls the images of the comparison.
        load: Loads them, by the data folder.
    """

    title: str
    architecture: str
    tuner: str
    usual: dict[str, dict[str, Any]]
    usual_title: str
    noises: tuple[str, ...]
    measured: str
    load: Callable[[Path], np.ndarray]


def load_cifar(root: Path) -> np.ndarray:
    """Loads the test images."""
    from kerasdenoise.data.sources import load_images

    return np.stack(load_images([f"{CIFAR}:x_test"], root)).astype(np.float32) / 255


def load_photos(root: Path) -> np.ndarray:
    """Loads the middles of the photos that no trial was measured on."""
    from kerasdenoise.data.sources import load_images

    photos = load_images([HELD_OUT], root)[SEARCHED:]
    corners = [[(side - CROP) // 2 for side in photo.shape[:2]] for photo in photos]
    return np.stack(
        [
            photo[top : top + CROP, left : left + CROP]
            for photo, (top, left) in zip(photos, corners, strict=True)
        ]
    ).astype(np.float32) / np.float32(255)


PLANS = {
    "lambda_net": Plan(
        title="LambdaNet on CIFAR-10",
        architecture="lambda_net",
        tuner="bayesian",
        usual={
            "optimization": {
                "optimizer": "adam",
                "learning_rate": 1e-3,
                "schedule": "exponential",
                "decay_rate": 0.99,
                "beta_2": 0.999,
                "weight_decay": 1e-5,
                "loss": "l2",
            }
        },
        usual_title="the paper's settings: Adam at 0.001, multiplied by 0.99 fifty times during "
        "training; weight decay 0.00001; L2; d = 16, k = 16, h = 4, u = 1, m = 23; batches of 64",
        noises=("gaussian:25.5",),
        measured="all 1,017 images of `x_test`",
        load=load_cifar,
    ),
    "unet": Plan(
        title="The U-Net of `photo`",
        architecture="unet",
        tuner="bayesian",
        usual={
            "optimization": {
                "optimizer": "muon",
                "learning_rate": 1e-3,
                "decay_fraction": 0.66,
                "ema_momentum": 0.998,
                "loss": "l1",
            }
        },
        usual_title="the settings of `recipes/photo_first.toml`, except for a shorter weight "
        "average: widths 32, 48, 64; blocks 3, 2, 2; Muon at 0.001; L1; a rate that falls over "
        "the last two thirds of the steps; an average of 0.998",
        noises=("gaussian:15", "gaussian:25", "gaussian:50"),
        measured=f"the middle {CROP} pixels of the 25 photos of `{HELD_OUT}` that no trial saw",
        load=load_photos,
    ),
}


def make_study(name: str, arguments: argparse.Namespace) -> Any:
    """Opens a study, or writes it down."""
    from kerasdenoise.tuning.data import Data, choose_data
    from kerasdenoise.tuning.space import find_space, read_space
    from kerasdenoise.tuning.study import Settings, create_study, is_study, open_study

    plan, folder = PLANS[name], arguments.runs / name
    if is_study(folder):
        return open_study(folder)
    root = arguments.data.resolve()
    if name == "lambda_net":
        data = choose_data(f"{arguments.data.as_posix()}/{CIFAR}:x_train", folder)
    else:
        data = Data(
            tuple((root / source).as_posix() for source in PHOTOS),
            ((root / HELD_OUT).as_posix(),),
            (),
            "Unsplash license (clic2025), CC0 (gb82, budgie), CC BY-SA 4.0 (cid22)",
            f"{', '.join(PHOTOS)}; measured on {SEARCHED} photos of {HELD_OUT}",
        )
    space = read_space(find_space(plan.architecture), plan.architecture)
    steps = getattr(arguments, f"{name}_steps")
    settings = Settings(plan.architecture, plan.tuner, "psnr", "compute", steps, (), SEED, data)
    return create_study(folder, settings, space)


def search(name: str, arguments: argparse.Namespace) -> None:
    """Does the trials that are left."""
    study = make_study(name, arguments)
    trials = getattr(arguments, f"{name}_trials")
    command = [sys.executable, str(ROOT / "cli.py"), "tune", study.settings.architecture]
    command += ["--study", str(study.folder), "--space", str(study.space_file), "--resume"]
    command += ["--trials", str(trials), "--workers", str(arguments.workers)]
    subprocess.run(command, check=True)


def compare(name: str, which: str, seed: int, arguments: argparse.Namespace) -> None:
    """Trains the winner or the usual settings with a seed, and measures them."""
    prepare_keras()

    from kerasdenoise.evaluation.figures import measure_network
    from kerasdenoise.training.network import is_run, load_run, read_run
    from kerasdenoise.training.recipe import parse_recipe
    from kerasdenoise.training.run import train
    from kerasdenoise.tuning.recipes import find_frame, make_recipe

    study, plan = make_study(name, arguments), PLANS[name]
    text = make_recipe(study, find_frame(study), plan.usual)
    if which == WINNER:
        text = (study.folder / "tuned.toml").read_text("utf-8")
    # The same seed gives both the same patches and noise.
    recipe = parse_recipe(text.replace(f"\nseed = {SEED}\n", f"\nseed = {seed}\n"))
    run = arguments.runs / "compare" / f"{name}_{which}_{seed}"
    if is_run(run) and read_run(run).identity() != recipe.identity():
        shutil.rmtree(run)  # which an earlier winner left
    train(recipe, run, Path(recipe.data.root), report=lambda progress: print(progress, flush=True))
    _, denoiser = load_run(run)
    clean = plan.load(arguments.data)
    figures = [measure_network(denoiser, clean, kind)["psnr"] for kind in plan.noises]
    result = {
        "psnr": float(np.mean(figures)),
        "steps": recipe.optimization.steps,
        "recipe": text,
    }
    write_file(run.with_suffix(".json"), json.dumps(result, indent=2))


def compare_all(name: str, arguments: argparse.Namespace) -> None:
    """Does the comparisons that have no result yet."""
    folder = arguments.runs / "compare"
    folder.mkdir(parents=True, exist_ok=True)
    tuned = (arguments.runs / name / "tuned.toml").read_text("utf-8")
    due = {}
    for seed in range(1, arguments.seeds + 1):
        for which in (USUAL, WINNER):
            result = folder / f"{name}_{which}_{seed}.json"
            # Of an earlier winner it says nothing.
            if result.exists() and (
                which == USUAL or json.loads(result.read_text("utf-8"))["recipe"] == tuned
            ):
                continue
            due[result.stem] = [name, which, str(seed)]
    run_each(__file__, due, arguments, ("runs", "data"), folder)


def write_page(arguments: argparse.Namespace) -> None:
    """Writes what both studies found."""
    from kerasdenoise.tuning.report import describe_study
    from kerasdenoise.tuning.study import read_results

    pictures = arguments.docs / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    parts = [
        "# What a study found",
        _INTRODUCTION,
    ]
    for name, plan in PLANS.items():
        study = make_study(name, arguments)
        text = describe_study(study, read_results(study), pictures, f"images/tuning_{name}_")
        _, _, rest = text.partition("\n")
        parts += [
            f"## {plan.title}",
            _describe_comparison(name, arguments),
            rest.replace("\n## ", "\n### ").strip(),
        ]
    options = [f"--{name} {getattr(arguments, name)}" for name in ("seeds", "workers", "jobs")]
    for name in PLANS:
        for what in ("trials", "steps"):
            value = getattr(arguments, f"{name}_{what}")
            options.append(f"--{name.replace('_', '-')}-{what} {value}")
    command = f"python experiments/tuning_study.py {' '.join(options)}"
    parts.append(f"This page is written by `{command}`.")
    (arguments.docs / "tuning_study.md").write_text("\n\n".join(parts) + "\n", "utf-8")


def _describe_comparison(name: str, arguments: argparse.Namespace) -> str:
    from kerasdenoise.evaluation.pages import table

    plan, folder = PLANS[name], arguments.runs / "compare"
    results = {
        which: [
            json.loads((folder / f"{name}_{which}_{seed}.json").read_text("utf-8"))
            for seed in range(1, arguments.seeds + 1)
        ]
        for which in (USUAL, WINNER)
    }
    pairs = [
        (usual["psnr"], winner["psnr"])
        for usual, winner in zip(results[USUAL], results[WINNER], strict=True)
    ]
    differences = [winner - usual for usual, winner in pairs]
    rows: list[tuple[str, ...]] = [
        (str(seed), f"{usual:.3f}", f"{winner:.3f}", f"{winner - usual:+.3f}")
        for seed, (usual, winner) in enumerate(pairs, 1)
    ]
    rows.append(
        (
            "mean",
            *(f"{statistics.mean(column):.3f}" for column in zip(*pairs, strict=True)),
            f"{statistics.mean(differences):+.3f}",
        )
    )
    steps = {which: results[which][0]["steps"] for which in results}
    text = (
        f"This compares the winner of {len(_trials(name, arguments))} trials with "
        f"{plan.usual_title}. Both were trained with {arguments.seeds} seeds and the same number "
        f"of multiply-accumulates: {steps[USUAL]:,} steps of the usual network, and "
        f"{steps[WINNER]:,} of the winner. Figures are the mean PSNR in dB at "
        f"{', '.join(plan.noises)} on {plan.measured}."
    )
    compared = table(("seed", "usual", "winner", "difference"), rows)
    return "\n\n".join([text, compared, _judge(differences)])


def _trials(name: str, arguments: argparse.Namespace) -> list[Any]:
    from kerasdenoise.tuning.study import read_results

    return read_results(make_study(name, arguments))


def _judge(differences: list[float]) -> str:
    """Says whether the seeds leave a difference, by a paired t interval of 95 %."""
    from scipy.stats import t

    mean = statistics.mean(differences)
    if len(differences) < 2:
        return f"The winner differs by {mean:+.2f} dB; one seed says nothing of chance."
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    half = float(t.ppf(0.975, len(differences) - 1)) * error
    low, high = mean - half, mean + half
    interval = f"{mean:+.2f} dB, 95 % interval {low:+.2f} to {high:+.2f}, paired by seed"
    if low > 0:
        return f"**The winner is better**: {interval}."
    if high < 0:
        return f"**The usual settings are better**: {interval}."
    return f"**No difference beyond chance**: {interval}."


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lambda-net-trials", type=int, default=30)
    parser.add_argument("--lambda-net-steps", type=int, default=800)
    parser.add_argument("--unet-trials", type=int, default=20)
    parser.add_argument("--unet-steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=5, help="of each side of a comparison")
    parser.add_argument("--workers", type=int, default=1, help="trials at a time")
    parser.add_argument("--jobs", type=int, default=2, help="comparisons at a time")
    parser.add_argument("--runs", type=Path, default=Path("runs/tuning_study"))
    add_data_option(parser)
    parser.add_argument("--only", nargs="+", choices=PLANS, default=list(PLANS))
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the page")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, which, seed = arguments.one
        compare(name, which, int(seed), arguments)
        return
    for name in arguments.only:
        search(name, arguments)
        compare_all(name, arguments)
    missing = [name for name in PLANS if not _is_complete(name, arguments)]
    if missing:
        sys.exit(f"no page written: {', '.join(missing)} not compared yet; see {arguments.runs}")
    write_page(arguments)


def _is_complete(name: str, arguments: argparse.Namespace) -> bool:
    return all(
        (arguments.runs / "compare" / f"{name}_{which}_{seed}.json").exists()
        for which in (USUAL, WINNER)
        for seed in range(1, arguments.seeds + 1)
    )


if __name__ == "__main__":
    main()
