"""Trains a learned diffusion as far as its recipe says, and compares it with what is published.

    python experiments/learned_diffusion.py

It measures what `recipes/reaction_diffusion_gray.toml` gives on the gray images that papers use,
and writes docs/papers/learned_diffusion.md. A stopped training resumes.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from common.data import add_data_option
from common.records import ROOT, Record, Results, Watch
from common.trials import read_log

from kerasdenoise.evaluation.figures import SEED, add_noise, denoise, figures_of, psnr_of, summarize
from kerasdenoise.evaluation.pages import table, wrap
from kerasdenoise.runtime import prepare_keras

RECIPE = ROOT / "recipes" / "reaction_diffusion_gray.toml"
RESULTS = ROOT / "experiments" / "results" / "learned_diffusion.json"
PAGE = ROOT / "docs" / "papers" / "learned_diffusion.md"

# PSNR in dB at sigma 25 of 255, as the papers' own tables have it.
PUBLISHED = {
    "BM3D (Dabov et al., 2007)": {"BSD68": 28.57, "Set12": 29.97},
    "TNRD (Chen and Pock, 2017), about 27,000 weights": {"BSD68": 28.92},
}


def train_and_measure(run: Path, data: Path) -> Record:
    """Follows the recipe to its end, and measures the network on the recipe's benchmarks."""
    prepare_keras()
    from kerasdenoise.training.recipe import read_recipe
    from kerasdenoise.training.run import train

    watch, recipe = Watch(), read_recipe(RECIPE)
    train(recipe, run, data, report=lambda progress: print(progress, flush=True))
    figures, parameters = measure(run, data)
    log = read_log(run)
    return Record(
        name=recipe.name,
        title=recipe.summary,
        mode="full",
        about={
            "architecture": recipe.model.architecture,
            "config": dataclasses.asdict(recipe.model.config),  # pyright: ignore[reportArgumentType]
        },
        seed=recipe.seed,
        data=recipe.data.license,
        figures=figures,
        seconds=round(sum(entry["seconds"] for entry in log), 1),
        recipe=recipe.source,
        parameters=parameters,
        steps=log[-1]["step"],
        batch=recipe.data.batch_size,
        curve=[[entry["step"], *entry["psnr"].values()] for entry in log],
        origin=watch.describe(),
    )


def measure(run: Path, data: Path) -> tuple[dict[str, Any], int]:
    """Measures a run's network on its recipe's benchmarks, and counts its weights."""
    from kerasdenoise.data.sources import load_images
    from kerasdenoise.training.network import load_run

    recipe, denoiser = load_run(run)
    figures = {}
    for benchmark in recipe.benchmark:
        rows = []
        # Images of a benchmark differ in size.
        for index, image in enumerate(load_images([benchmark.folder], data, channels=1)):
            clean = image[None].astype(np.float32) / np.float32(255)
            noisy = add_noise(clean, benchmark.noises[0].text, SEED + index)
            denoised = figures_of(clean, denoise(denoiser, noisy, clean))
            rows.append({**denoised, "noisy": psnr_of(clean, noisy)})
        columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        figures[benchmark.name] = {**summarize(columns), "images": len(rows)}
    return figures, denoiser.count_params()


def write_page(record: Record, page: Path) -> None:
    """Writes what came of it, beside what is published."""
    rows: list[tuple[object, ...]] = [
        (title, *(f"{figures[name]:.2f}" if name in figures else "-" for name in record.figures))
        for title, figures in PUBLISHED.items()
    ]
    own = [f"{f['psnr']:.2f} ± {f['psnr_error']:.2f}" for f in record.figures.values()]
    rows.append((f"**this one**, {record.parameters:,} weights", *own))
    described = "; ".join(
        f"{name}: {f['images']} images, noisy {f['noisy']:.2f} dB, SSIM {f['ssim']:.4f}"
        for name, f in record.figures.items()
    )
    origin = record.origin
    commit = origin["commit"] + (" with changes" if origin["changed"] else "")
    text = f"""# A learned diffusion, trained to its end

The slides' diffusion has one contrast for an image. This page shows what diffusion can do if its
filters and functions are trained as well. The network in `models/reaction_diffusion.py` is Chen and
Pock's reaction diffusion (IEEE TPAMI 2017), with Perona and Malik's function and trained contrasts
instead of their 63 Gaussian bells.

Gray images, Gaussian noise of sigma 25 of 255, not clipped; PSNR in dB, with the standard error
over images. All rows except the last are published figures, not measured here.

{table(("", *record.figures), rows)}

{described}.

It took {record.steps:,} steps of {record.batch} patches, {record.seconds / 60:.0f} minutes by the
clock on a machine of {origin["cores"]} cores, seed {record.seed}, at commit {commit}. Like all
methods in the table, it learned from photos that are for research and education only, so its
weights are not shipped.

`python experiments/learned_diffusion.py` writes this page by
`recipes/reaction_diffusion_gray.toml`; the figures are kept in
`experiments/results/learned_diffusion.json`.
"""
    page.write_text(wrap(text), "utf-8")


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/reaction_diffusion"))
    add_data_option(parser)
    arguments = parser.parse_args()
    record = train_and_measure(arguments.run, arguments.data)
    Results(RESULTS).keep(record)
    write_page(record, PAGE)


if __name__ == "__main__":
    main()
