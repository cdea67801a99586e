"""Compares changes to a small U-Net and its training, and writes docs/ablation.md.

    python experiments/ablation.py --jobs 2

Each trial changes one thing in the same short training: the network at equal arithmetic, or the
batches at equal pixels. Figures are from validation images. Each training is a process pinned to
its own core; a training that has a result is not repeated. With several seeds, the spread of the
reference shows what chance does.
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

from common.data import add_data_option
from common.processes import run_each
from common.records import ROOT, Record, Results, Watch

from kerasdenoise.evaluation.pages import table, wrap
from kerasdenoise.files import write_file
from kerasdenoise.runtime import prepare_keras

PAGE = ROOT / "docs" / "ablation.md"
RESULTS = ROOT / "experiments" / "results" / "ablation.json"
RECIPE = ROOT / "recipes" / "photo_third.toml"
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
class Change:
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


_MADE, _TRAINED, _FED = "The network", "The training", "The data"
_DEEP = {"widths": [36, 48, 64], "blocks": [2, 2, 2]}
CHANGES = {
    REFERENCE: Change("widths 48, 64, 80; residual blocks 1, 1, 2; Muon; L1", "Reference"),
    "told_itself": Change("estimates the noise level", _MADE, {"estimates_level": True}),
    "narrow_top": Change(
        "widths 36, 64, 96 (more parameters)", _MADE, {"widths": [36, 64, 96], "blocks": [1, 2, 2]}
    ),
    "deep": Change(
        "deeper, narrower: widths 36, 48, 64; blocks 2, 2, 2",
        _MADE,
        _DEEP,
    ),
    "deep_sorted": Change(
        "deeper, narrower; pairs of channels sorted", _MADE, _DEEP, block="sorted"
    ),
    "deep_mixer": Change(
        "deeper, narrower; NAFNet's blocks, ReLU and no normalization", _MADE, _DEEP, block="mixer"
    ),
    "deep_gated": Change(
        "deeper, narrower; NAFNet's blocks, a gate that keeps the scale",
        _MADE,
        _DEEP,
        block="gated",
    ),
    "four_levels": Change(
        "four levels: widths 48, 64, 72, 80; blocks 1, 1, 1, 1",
        _MADE,
        {"widths": [48, 64, 72, 80], "blocks": [1, 1, 1, 1]},
    ),
    "two_levels": Change(
        "two levels: widths 48, 72; blocks 1, 2", _MADE, {"widths": [48, 72], "blocks": [1, 2]}
    ),
    "naf": Change("NAFNet's blocks", _MADE, block="naf"),
    "lambda": Change("lambda layers at the lowest level", _MADE, block="lambda"),
    "leaky": Change("leaky ReLU, slope 0.1", _MADE, block="leaky"),
    "adam": Change(
        "Adam, peak 1e-3", _TRAINED, options={"optimizer": "adam", "learning_rate": 1e-3}
    ),
    "adam_fast": Change(
        "Adam, peak 3e-3", _TRAINED, options={"optimizer": "adam", "learning_rate": 3e-3}
    ),
    "slow": Change("peak 1e-3", _TRAINED, options={"learning_rate": 1e-3}),
    "fast": Change("peak 4e-3", _TRAINED, options={"learning_rate": 4e-3}),
    "l2": Change("L2 loss", _TRAINED, options={"loss": "l2"}),
    "charbonnier": Change("Charbonnier loss", _TRAINED, options={"loss": "charbonnier"}),
    "psnr": Change("PSNR loss", _TRAINED, options={"loss": "psnr"}),
    "no_average": Change("no average of the weights", _TRAINED, options={"ema_momentum": 0.0}),
    "long_average": Change("average over 1,000 steps", _TRAINED, options={"ema_momentum": 0.999}),
    "early_fall": Change(
        "rate falls over 90 % of the steps", _TRAINED, options={"decay_fraction": 0.9}
    ),
    "late_fall": Change(
        "rate falls over 20 % of the steps", _TRAINED, options={"decay_fraction": 0.2}
    ),
    "batch_8": Change("8 patches a step, twice the steps", _FED, batch=8, steps=2 * STEPS),
    "batch_32": Change("32 patches a step, half the steps", _FED, batch=32, steps=STEPS // 2),
    "patch_32": Change("patches of 32, 64 a step", _FED, patch=32, batch=4 * BATCH),
    "patch_128": Change("patches of 128, 4 a step", _FED, patch=128, batch=BATCH // 4),
}


def make_recipe(change: Change, seed: int) -> Any:
    """Makes the recipe of a trial from that of `photo`."""
    from kerasdenoise.models import make_config
    from kerasdenoise.noise import parse_noise
    from kerasdenoise.training.optimization import make_optimization
    from kerasdenoise.training.recipe import NoiseSection, read_recipe

    recipe, replace = read_recipe(RECIPE), dataclasses.replace
    config = {"widths": [48, 64, 80], "blocks": [1, 1, 2], **change.config}
    options = {
        "steps": change.steps,
        "objective": recipe.optimization.objective,
        "optimizer": "muon",
        "learning_rate": 2e-3,
        "warmup_steps": 200,
        "decay_fraction": 0.5,
        "ema_momentum": 0.998,
        "loss": "l1",
        **change.options,
    }
    return replace(
        recipe,
        name="ablation",
        seed=seed,
        model=replace(
            recipe.model,
            config=make_config("unet", config),
            initial_weights="",
            reinitialize_dead_units=False,
            teacher="",
        ),
        data=replace(recipe.data, scales=(1.0,), patch_size=change.patch, batch_size=change.batch),
        noise=tuple(NoiseSection(parse_noise(kind)) for kind in ("gaussian:0-55", "camera")),
        optimization=make_optimization(options, change.title),
        validation=replace(
            recipe.validation,
            interval=-(-change.steps // 2),
            noises=tuple(map(parse_noise, NOISES)),
        ),
        source=json.dumps([dataclasses.asdict(change), seed]),
    )


def run_trial(name: str, seed: int, arguments: argparse.Namespace) -> None:
    """Trains and measures one network, and writes its record."""
    prepare_keras()
    from common.blocks import make_block

    from kerasdenoise.models import get_architecture, mac_per_pixel, unet
    from kerasdenoise.training.run import Progress, train

    watch, change = Watch(), CHANGES[name]
    recipe = make_recipe(change, seed)
    config = recipe.model.config
    progress: list[Progress] = []
    # The package has the block that is best; the others live here.
    block = make_block(change.block, len(config.widths))
    with mock.patch.object(unet, "residual_block", lambda x, width, name, _: block(x, width, name)):
        network = get_architecture("unet").build(config)
        run = arguments.runs / f"{name}_{seed}"
        for file in run.glob("*"):  # what was cut off starts over: its text is no recipe
            file.unlink()
        train(recipe, run, arguments.data, report=progress.append)
    record = Record(
        name=f"{name}_{seed}",
        title=change.title,
        mode="full",
        about=_about(change),
        seed=seed,
        data=", ".join(recipe.data.train),
        figures={
            "psnr": progress[-1].psnr,
            "silent": progress[-1].dead_units,
            "mac_per_pixel": mac_per_pixel(network, config.stride),
        },
        seconds=sum(p.seconds for p in progress),
        recipe=recipe.source,
        parameters=network.count_params(),
        steps=change.steps,
        batch=change.batch,
        curve=[[p.step, statistics.mean(p.psnr.values())] for p in progress],
        origin=watch.describe(),
    )
    # Into a file of its own: another process may finish at the same moment.
    write_file(run.with_suffix(".json"), json.dumps(dataclasses.asdict(record), indent=1))


def keep_records(runs: Path, results: Results) -> None:
    """Adds what the trainings wrote to the kept results."""
    for file in sorted(runs.glob("*_[0-9]*.json")):
        results.keep(Record(**json.loads(file.read_text("utf-8"))))


def read_records(results: Results) -> dict[str, list[Record]]:
    """Returns the kept records of each change, those of other settings left out."""
    records = results.read().values()
    return {
        name: [record for record in records if record.about == _about(change)]
        for name, change in CHANGES.items()
    }


def _about(change: Change) -> dict[str, Any]:
    # As JSON has it, which knows no tuples.
    return json.loads(json.dumps(dataclasses.asdict(change)))


def write_page(records: dict[str, list[Record]], page: Path) -> None:
    """Writes the table of the trials that are done; the reference with two seeds is among them."""
    reference = [_mean(record) for record in records[REFERENCE]]
    spread, base, seeds = statistics.stdev(reference), statistics.mean(reference), len(reference)
    rows: list[tuple[object, ...]] = []
    question = ""
    for name, change in CHANGES.items():
        if not records[name]:
            continue
        if change.question != question:
            question = change.question
            rows.append((f"**{question}**", *[""] * (len(_HEADINGS) - 1)))
        difference = statistics.mean(map(_mean, records[name])) - base
        rows.append(_row(records[name], "" if name == REFERENCE else f"{difference:+.2f}"))
    left = [change.title for name, change in CHANGES.items() if not records[name]]
    text = f"""# What earns its arithmetic

Each row makes one change to the same short training of a small U-Net: {STEPS:,} steps of {BATCH}
patches of {PATCH}x{PATCH} pixels, Gaussian noise of sigma 0 to 55 of 255 in one half and camera
noise in the other. PSNR in dB, mean over {len(NOISES)} noises ({", ".join(NOISES)}) on 16 crops of
`validation/cid22`, which training never sees. "Silent" is the share of units whose ReLU no longer
responds to anything; units without ReLU always respond. The reference was trained with {seeds}
seeds, and its figures have a standard deviation of {spread:.3f} dB: differences below
{2 * spread * (1 + 1 / seeds) ** 0.5:.2f} dB may be chance.

The trainings are short, so changes that learn fast win. After a long training, others may be
better.

{table(_HEADINGS, rows)}

`python experiments/ablation.py --jobs 2` writes this page, after training what has no result
yet{f" ({'; '.join(left)})" if left else ""}; the figures are in
`experiments/results/ablation.json`.
"""
    page.write_text(wrap(text), "utf-8")


_HEADINGS = (
    "trial",
    "kMAC/pixel",
    "thousand parameters",
    "mean PSNR",
    "difference",
    "gaussian:15",
    "gaussian:50",
    "camera:0.004",
    "silent",
)


def _row(records: list[Record], difference: str) -> tuple[object, ...]:
    first = records[0]
    by_noise = [
        statistics.mean(record.figures["psnr"][noise] for record in records)
        for noise in ("gaussian:15", "gaussian:50", "camera:0.004")
    ]
    return (
        first.title,
        f"{first.figures['mac_per_pixel'] / 1000:.1f}",
        f"{first.parameters / 1000:,.0f}",
        f"{statistics.mean(map(_mean, records)):.2f}",
        difference,
        *(f"{value:.2f}" for value in by_noise),
        f"{statistics.mean(record.figures['silent'] for record in records):.0%}",
    )


def _mean(record: Record) -> float:
    return statistics.mean(record.figures["psnr"].values())


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1, help="of each trial")
    parser.add_argument("--reference-seeds", type=int, default=3, help="of the reference")
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    add_data_option(parser)
    parser.add_argument("--only", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_trial(arguments.one[0], int(arguments.one[1]), arguments)
        return
    arguments.runs.mkdir(parents=True, exist_ok=True)
    results = Results(RESULTS)
    keep_records(arguments.runs, results)
    records = read_records(results)
    due = {}
    for name in arguments.only:
        done = {record.seed for record in records[name]}
        seeds = arguments.reference_seeds if name == REFERENCE else arguments.seeds
        for seed in sorted({*range(seeds)} - done):
            due[f"{name}_{seed}"] = [name, str(seed)]
    run_each(__file__, due, arguments, ("runs", "data"), arguments.runs)
    keep_records(arguments.runs, results)
    records = read_records(results)
    if len(records[REFERENCE]) < 2:
        sys.exit("no page written: it needs the reference with two seeds")
    write_page(records, PAGE)


if __name__ == "__main__":
    main()
