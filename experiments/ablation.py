"""Compares what a small U-Net can be made and trained of, and writes docs/ablation.md.

    python experiments/ablation.py --jobs 2

Each trial changes one thing of the same short training, at equal arithmetic where it changes the
network, and at equal pixels where it changes the batches. Figures are of validation pictures.
Each training is a process pinned to a core of its own; one whose result is in `--runs` is not
done again. With several seeds each, the spread of the reference's says what chance does.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from common.processes import run_processes, write_whole

from kerasdenoise.runtime import prepare_keras

PAGE = Path(__file__).parents[1] / "docs" / "ablation.md"
RECIPE = Path(__file__).parents[1] / "recipes" / "photo.toml"
NOISES = (
    "gaussian:15",
    "gaussian:25",
    "gaussian:50",
    "camera:0.001",
    "camera:0.004",
    "camera:0.012",
)
STEPS, BATCH, PATCH = 2500, 16, 64
REFERENCE = "reference"


@dataclass(frozen=True)
class Trial:
    """One row of the table.

    Attributes:
        title: What differs from the reference.
        question: The part of the table that it stands in.
        config: Fields of the network's `Config`.
        block: Name of its blocks, of `common.blocks.make_block`.
        options: Fields of the recipe's section `optimization`.
        patch: Side of the patches.
        batch: Patches in a step.
        steps: Steps of the training.
    """

    title: str
    question: str
    config: dict[str, Any] = field(default_factory=dict)
    block: str = "residual"
    options: dict[str, Any] = field(default_factory=dict)
    patch: int = PATCH
    batch: int = BATCH
    steps: int = STEPS


_MADE, _TRAINED, _FED = "Of what it is made", "How it is trained", "What it is fed"
TRIALS = {
    REFERENCE: Trial("widths 48, 64, 80; residual blocks 1, 1, 2; Muon; L1", "Reference"),
    "told_itself": Trial("estimates the noise level", _MADE, {"estimates_level": True}),
    "narrow_top": Trial(
        "widths 36, 64, 96 (more parameters)", _MADE, {"widths": [36, 64, 96], "blocks": [1, 2, 2]}
    ),
    "deep": Trial(
        "deeper, narrower: widths 36, 48, 64; blocks 2, 2, 2",
        _MADE,
        {"widths": [36, 48, 64], "blocks": [2, 2, 2]},
    ),
    "four_levels": Trial(
        "four levels: widths 48, 64, 72, 80; blocks 1, 1, 1, 1",
        _MADE,
        {"widths": [48, 64, 72, 80], "blocks": [1, 1, 1, 1]},
    ),
    "two_levels": Trial(
        "two levels: widths 48, 72; blocks 1, 2", _MADE, {"widths": [48, 72], "blocks": [1, 2]}
    ),
    "naf": Trial("NAFNet's blocks", _MADE, block="naf"),
    "lambda": Trial("lambda layers at the lowest level", _MADE, block="lambda"),
    "adam": Trial("Adam, peak 1e-3", _TRAINED, options={"optimizer": "adam", "peak": 1e-3}),
    "adam_fast": Trial("Adam, peak 3e-3", _TRAINED, options={"optimizer": "adam", "peak": 3e-3}),
    "slow": Trial("peak 1e-3", _TRAINED, options={"peak": 1e-3}),
    "fast": Trial("peak 4e-3", _TRAINED, options={"peak": 4e-3}),
    "l2": Trial("L2 loss", _TRAINED, options={"loss": "l2"}),
    "charbonnier": Trial("Charbonnier loss", _TRAINED, options={"loss": "charbonnier"}),
    "psnr": Trial("PSNR loss", _TRAINED, options={"loss": "psnr"}),
    "no_average": Trial("no average of the weights", _TRAINED, options={"average": 0.0}),
    "long_average": Trial("average over 1,000 steps", _TRAINED, options={"average": 0.999}),
    "early_fall": Trial("rate falls over 90 % of the steps", _TRAINED, options={"decay": 0.9}),
    "late_fall": Trial("rate falls over 20 % of the steps", _TRAINED, options={"decay": 0.2}),
    "batch_8": Trial("8 patches a step, twice the steps", _FED, batch=8, steps=2 * STEPS),
    "batch_32": Trial("32 patches a step, half the steps", _FED, batch=32, steps=STEPS // 2),
    "patch_32": Trial("patches of 32, 64 a step", _FED, patch=32, batch=4 * BATCH),
    "patch_128": Trial("patches of 128, 4 a step", _FED, patch=128, batch=BATCH // 4),
}


def make_recipe(trial: Trial, seed: int) -> Any:
    """Makes the recipe of a trial from that of `photo`."""
    from kerasdenoise.training.recipe import NoiseSection, read_recipe

    recipe, replace = read_recipe(RECIPE), dataclasses.replace
    config = {"widths": [48, 64, 80], "blocks": [1, 1, 2], **trial.config}
    options = {
        "optimizer": "muon",
        "peak": 2e-3,
        "warmup": 200,
        "decay": 0.5,
        "average": 0.998,
        **trial.options,
    }
    return replace(
        recipe,
        name="ablation",
        seed=seed,
        model=replace(recipe.model, config=config, start=""),
        data=replace(recipe.data, scales=(1.0,), patch=trial.patch, batch=trial.batch),
        noise=(NoiseSection("gaussian:0-55"), NoiseSection("camera")),
        optimization=replace(recipe.optimization, steps=trial.steps, **options),
        report=replace(recipe.report, interval=-(-trial.steps // 2), noises=NOISES),
        source=json.dumps([dataclasses.asdict(trial), seed]),
    )


def run_trial(name: str, seed: int, arguments: argparse.Namespace) -> None:
    """Trains and measures one network, and writes its result."""
    prepare_keras()
    from common.blocks import make_block

    from kerasdenoise.export.cost import mac_per_pixel
    from kerasdenoise.models import get_architecture, make_config, unet
    from kerasdenoise.training.run import Progress, train

    trial = TRIALS[name]
    recipe = make_recipe(trial, seed)
    config = make_config("unet", recipe.model.config)
    progress: list[Progress] = []
    # The package has the block that is best; the others live here.
    block = make_block(trial.block, len(recipe.model.config["widths"]))
    with mock.patch.object(unet, "residual_block", block):
        network = get_architecture("unet").build(config)
        run = arguments.runs / f"{name}_{seed}"
        for file in run.glob("*"):  # what was cut off starts over: its text is no recipe
            file.unlink()
        train(recipe, run, arguments.data, report=progress.append)
    result = {
        "trial": dataclasses.asdict(trial),
        "seed": seed,
        "parameters": network.count_params(),
        "mac_per_pixel": mac_per_pixel(network, config.stride),
        "minutes": sum(p.seconds for p in progress) / 60,
        "psnr": progress[-1].psnr,
    }
    write_whole(arguments.runs / f"{name}_{seed}.json", json.dumps(result, indent=2))


def write_page(arguments: argparse.Namespace) -> None:
    """Writes the table of the results that are there."""
    results = {name: _read(name, arguments) for name in TRIALS}
    reference = [_mean(result) for result in results[REFERENCE]]
    spread = statistics.stdev(reference)
    base = statistics.mean(reference)
    rows, question = [], ""
    for name, trial in TRIALS.items():
        if not results[name]:
            continue
        if trial.question != question:
            question = trial.question
            rows.append(f"| **{question}** | | | | | | | |")
        means = [_mean(result) for result in results[name]]
        by_noise = [
            statistics.mean(result["psnr"][noise] for result in results[name])
            for noise in ("gaussian:15", "gaussian:50", "camera:0.004")
        ]
        first = results[name][0]
        difference = "" if name == REFERENCE else f"{statistics.mean(means) - base:+.2f}"
        rows.append(
            f"| {trial.title} | {first['mac_per_pixel'] / 1000:.1f} "
            f"| {first['parameters'] / 1000:,.0f} | {statistics.mean(means):.2f} | {difference} | "
            + " | ".join(f"{value:.2f}" for value in by_noise)
            + " |"
        )
    seeds = len(reference)
    text = f"""# What earns its arithmetic

One change at a time to the same short training of a small U-Net: {STEPS:,} steps of {BATCH}
patches of {PATCH}x{PATCH} pixels, Gaussian noise of sigma 0 to 55 of 255 in one half and camera
noise in the other. PSNR in dB, mean over {len(NOISES)} noises ({", ".join(NOISES)}) on 16 crops
of `validation/cid22`, which training never sees. The reference was trained with {seeds} seeds, and
its figures have a standard deviation of {spread:.3f} dB: differences below
{2 * spread * (1 + 1 / seeds) ** 0.5:.2f} dB mean nothing.

Such trainings are short: what learns fast wins, and what would be better in the end may not.

| trial | kMAC/pixel | thousand parameters | mean PSNR | difference | gaussian:15 \
| gaussian:50 | camera:0.004 |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

This page is written by `python experiments/ablation.py --jobs {arguments.jobs}`, which goes on with
the trials that have no result yet; {len(TRIALS) - sum(map(bool, results.values()))} of \
{len(TRIALS)} are left out for now.
"""
    PAGE.write_text(text, "utf-8")


def _read(name: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    files = sorted(arguments.runs.glob(f"{name}_[0-9]*.json"))
    return [json.loads(file.read_text("utf-8")) for file in files]


def _mean(result: dict[str, Any]) -> float:
    return statistics.mean(result["psnr"].values())


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1, help="of each trial")
    parser.add_argument("--reference-seeds", type=int, default=3, help="of the reference")
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=list(TRIALS))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_trial(arguments.one[0], int(arguments.one[1]), arguments)
        return
    arguments.runs.mkdir(parents=True, exist_ok=True)
    commands = {}
    for name in arguments.only:
        seeds = arguments.reference_seeds if name == REFERENCE else arguments.seeds
        for seed in range(seeds):
            if not (arguments.runs / f"{name}_{seed}.json").exists():
                commands[f"{name}_{seed}"] = [
                    sys.executable,
                    __file__,
                    "--one",
                    name,
                    str(seed),
                    f"--runs={arguments.runs}",
                    f"--data={arguments.data}",
                ]
    run_processes(commands, arguments.jobs, arguments.runs)
    if len(_read(REFERENCE, arguments)) < 2:
        sys.exit("no page written: it needs the reference with two seeds")
    write_page(arguments)


if __name__ == "__main__":
    main()
