"""`kerasdenoise export`: a training run in, a saved model out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.errors import UsageError

if TYPE_CHECKING:
    from kerasdenoise.training.recipe import Recipe


@click.command("export", short_help="Turn a training run into a saved model.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--name", help="What the model is called.  [default: the recipe's name]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("saved_models"),
    show_default=True,
    help="Folder of saved models and their index.json.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder that holds the recipe's photos and test sets.  [default: the recipe's data root]",
)
@click.option(
    "--int8",
    is_flag=True,
    help="Write a file of 8-bit integers as well, calibrated on the recipe's training photos.",
)
@click.option("--overwrite", is_flag=True, help="Replace a model of that name.")
@verbose_option
def command(
    run: Path,
    name: str | None,
    output: Path,
    data: Path | None,
    int8: bool,
    overwrite: bool,
) -> None:
    """Turn a training run into a saved model.

    Writes Keras, SavedModel and LiteRT files, measures the LiteRT file on the recipe's test
    sets that are there, and records all of it in the model's card and in the index.
    """
    from kerasdenoise.runtime import prepare_keras

    if name is not None and Path(name).name != name:
        raise UsageError(f"--name {name}", "is a path", "give a name, and its folder by --output")
    prepare_keras()
    from kerasdenoise.export.saved_model import check_free, write_saved_model
    from kerasdenoise.training.build import load_run
    from kerasdenoise.training.checkpoint import read_run

    target = output / (name or read_run(run).name)
    check_free(target, overwrite=overwrite)
    recipe, denoiser = load_run(run)
    root = data or Path(recipe.data.root)
    write_saved_model(
        denoiser,
        recipe,
        target,
        overwrite=overwrite,
        measure=lambda folder: _measure(folder, recipe, root),
        photos=root if int8 else None,
    )
    say(f"{target}: written")


def _measure(model: Path, recipe: Recipe, root: Path) -> list[dict[str, Any]]:
    """Denoises the recipe's test sets, and returns the rows of the card's table."""
    from kerasdenoise.evaluation.benchmark import measure
    from kerasdenoise.evaluation.corruption import Corruption
    from kerasdenoise.evaluation.samples import Corrupted, Pairs, find_images, find_pairs
    from kerasdenoise.inference.denoiser import Denoiser

    denoiser = Denoiser(model)
    rows: list[dict[str, Any]] = []
    for section in recipe.benchmark:
        folder = root / section.folder
        if not folder.is_dir():
            say(f"{folder}: not there, so that {section.name} is not measured")
            continue
        sets = [Corrupted(find_images(folder), Corruption(kind)) for kind in section.noises]
        for samples in sets or [Pairs(find_pairs(folder))]:
            result = measure(denoiser, samples)
            if result.failures:
                raise UsageError(section.name, result.failures[0].error, "mend the test set")
            error = result.standard_error("psnr")
            row = {
                "set": section.name,
                "folder": section.folder,
                "noise": result.noise if section.noises else None,
                "images": len(result.images),
                "noisy_psnr": result.mean("noisy_psnr"),
                "psnr": result.mean("psnr"),
                "psnr_error": error if math.isfinite(error) else None,
                "ssim": result.mean("ssim"),
            }
            rows.append(row)
            say(f"{section.name} {result.noise}: {row['noisy_psnr']:.2f} to {row['psnr']:.2f} dB")
    return rows
