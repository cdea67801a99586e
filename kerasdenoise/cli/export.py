"""`kerasdenoise export`: a training run or a saved model in, files that run without it out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.cli.requirements import needs_training
from kerasdenoise.cli.types import EdgeType
from kerasdenoise.errors import KerasDenoiseError, ModelError, UsageError

if TYPE_CHECKING:
    import keras

    from kerasdenoise.export.files import Order
    from kerasdenoise.export.variant import Variant
    from kerasdenoise.training.recipe import Recipe

_KINDS = {
    "float32": "The network as it is; the default.",
    "float16": "Weights in 16 bits, for half the size.",
    "dynamic": "Weights in 8 bits; what they are applied to is rounded as it comes.",
    "int8": "8-bit integers alone, uint8 in and out, calibrated on noisy photos.",
    "int16x8": "16-bit integers times weights in 8 bits, calibrated as well.",
}

_RUN_FOLDER = Path("saved_models")
_FILES_FOLDER = Path("exported")


def _kind_options(command: Any) -> Any:
    for kind, text in reversed(_KINDS.items()):
        command = click.option(f"--{kind}", is_flag=True, help=text)(command)
    return command


@click.command("export", short_help="Turn a training run into a saved model, or that into files.")
@click.argument("model", metavar="RUN|MODEL")
@click.option("--name", help="What a run's model is called.  [default: the recipe's name]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder in which a folder of the model's name is made.  [default: saved_models for a "
    "run, beside the index.json; exported for a saved model]",
)
@click.option("--add", is_flag=True, help="Put files of a saved model into its own folder instead.")
@_kind_options
@click.option(
    "--target",
    type=click.Choice(["cpu", "mobile"]),
    default="cpu",
    show_default=True,
    help="mobile: the same network in operations that GPUs and NPUs of phones have.",
)
@click.option(
    "--size",
    "sizes",
    type=EdgeType(),
    multiple=True,
    help="Height and width of the images, or dynamic for any; may be repeated.  [default: "
    "dynamic, and 256 for mobile]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder that holds the recipe's photos and test sets.  [default: the recipe's data root]",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    help="Folder of clean photos to calibrate and measure files on, instead of the recipe's.",
)
@click.option(
    "--integers",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="Run that went on to train the same network in integers; its weights and scales make "
    "the files of --int8.",
)
@click.option("--force", is_flag=True, help="Keep files that lose too much.")
@click.option(
    "--check-gpu",
    is_flag=True,
    help="Export nothing; run the model's files for phones, or the one given, on a GPU alone.",
)
@click.option("--overwrite", is_flag=True, help="Replace a model or files of that name.")
@verbose_option
@needs_training
def command(
    model: str,
    name: str | None,
    output: Path | None,
    add: bool,
    target: Literal["cpu", "mobile"],
    sizes: Sequence[int | Literal["dynamic"]],
    data: Path | None,
    photos: Path | None,
    integers: Path | None,
    force: bool,
    check_gpu: bool,
    overwrite: bool,
    **kinds: bool,
) -> None:
    """Turn a training run into a saved model, or a saved model into files for other programs.

    Of a run, writes Keras, SavedModel and LiteRT files, measures the LiteRT file on the recipe's
    test sets that are there, and records all of it in the model's card and in the index.

    Of a saved model, writes LiteRT files such as mobile_256_int8.tflite, each with a .json that
    says how to run it. Options may be combined: each kind is written in each size. Of a run, they
    become part of the saved model.

    Each file is compared with Keras on noisy photos, and refused if it loses more than 0.1 dB,
    in float16 0.01 dB.
    """
    if check_gpu:
        _check_gpu(model)
        return
    if name is not None and Path(name).name != name:
        raise UsageError(f"--name {name}", "is a path", "give a name, and its folder by --output")
    if add and output:
        raise UsageError("--add", "chooses the folder, as --output does", "give one of both")
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.export.files import Order
    from kerasdenoise.training.checkpoint import is_run

    variants = _list_variants(kinds, target, sizes)
    trained = _load_integers(integers, kinds) if integers else None
    order = Order(variants, data, photos, trained, force, _report)
    if is_run(Path(model)):
        if add:
            raise UsageError("--add", "is for saved models", "leave it out for a training run")
        _export_run(Path(model), name, output or _RUN_FOLDER, order, overwrite=overwrite)
    else:
        _export_files(model, name, None if add else output or _FILES_FOLDER, order, overwrite)


def _list_variants(
    kinds: Mapping[str, bool],
    target: Literal["cpu", "mobile"],
    sizes: Sequence[int | Literal["dynamic"]],
) -> list[Variant]:
    from kerasdenoise.export.variant import Variant

    chosen: list[Any] = [kind for kind, is_chosen in kinds.items() if is_chosen]
    default: list[int | Literal["dynamic"]] = [256 if target == "mobile" else "dynamic"]
    return [
        Variant(kind, target, None if size == "dynamic" else size)
        for size in dict.fromkeys(sizes or default)
        for kind in chosen or ["float32"]
    ]


def _load_integers(run: Path, kinds: Mapping[str, bool]) -> keras.Model:
    from kerasdenoise.export.fixed_scales import fix_scales
    from kerasdenoise.training.build import load_run

    if not kinds["int8"]:
        raise UsageError("--integers", "is for files of 8-bit integers", "add --int8")
    recipe, rounded = load_run(run)
    if not recipe.model.quantization_aware:
        raise UsageError(
            f"--integers {run}",
            "was not trained in integers",
            "give the run of a recipe that says quantization_aware = true",
        )
    return fix_scales(rounded)


def _export_run(
    run: Path, name: str | None, output: Path, order: Order, *, overwrite: bool
) -> None:
    import dataclasses

    from kerasdenoise.export.model_package import check_free, write_saved_model
    from kerasdenoise.export.variant import Variant
    from kerasdenoise.training.build import load_run
    from kerasdenoise.training.checkpoint import read_run

    target = output / (name or read_run(run).name)
    check_free(target, overwrite=overwrite)
    recipe, denoiser = load_run(run)
    if recipe.model.quantization_aware:
        raise UsageError(
            run,
            "was trained in integers",
            f"export what it started from, with --int8 --integers {run}",
        )
    root = order.data or Path(recipe.data.root)
    write_saved_model(
        denoiser,
        recipe,
        target,
        overwrite=overwrite,
        measure=lambda folder: _measure(folder, recipe, root),
        order=dataclasses.replace(order, variants=[*dict.fromkeys([Variant(), *order.variants])]),
    )
    say(f"{target}: written")


def _export_files(
    model: str, name: str | None, output: Path | None, order: Order, overwrite: bool
) -> None:
    from kerasdenoise.export.deliver import add_files, deliver_files
    from kerasdenoise.zoo import find_model, model_names

    if name is not None:
        raise UsageError("--name", "is for training runs", "leave it out for a saved model")
    try:
        find_model(model)
    except ModelError as error:
        if Path(model).exists():
            raise
        raise ModelError(
            model,
            "neither a training run nor a saved model",
            f"give a run's folder, or one of: {', '.join(model_names())}",
        ) from error
    if output is None:
        target = add_files(model, order, overwrite=overwrite)
    else:
        target = deliver_files(model, order, output, overwrite=overwrite)
    say(f"{target}: written")


def _report(file: str, row: Mapping[str, Any]) -> None:
    say(
        f"{file:<28}{row['bytes']:>12,} bytes {row['psnr']:>7.2f} dB, Keras "
        f"{row['psnr_keras']:.2f} ({row['noise']}, {row['images']} of {row['photos']})"
    )
    tile = row["tile"]
    if tile and tile["size"] and 2 * (tile["step"] or 0) < tile["size"]:
        say(
            f"  of its {tile['size']} pixels a side all but {tile['step'] or 0} are halo: "
            f"with --size {_roomy_size(tile['halo'])} a photo takes less arithmetic"
        )


def _roomy_size(halo: int) -> int:
    """The power of two of which at least half is no halo."""
    return 2 ** math.ceil(math.log2(4 * halo))


def _check_gpu(model: str) -> None:
    """Runs files on the GPU, and says of each whether it ran there as a whole."""
    from kerasdenoise.export.gpu import check_gpu
    from kerasdenoise.zoo import find_model

    given = Path(model)
    files = [given] if given.suffix == ".tflite" else find_model(model).mobile_paths
    if not files:
        raise UsageError(
            model, "has no files for phones", f"export {model} --target mobile --add writes them"
        )
    failed = 0
    for file in files:
        result = check_gpu(file)
        failed += not result.passed
        if result.cause:
            say(f"{file.name}: not run by the GPU alone: {result.cause}")
        else:
            whole = "fully accelerated" if result.whole else "partly on the CPU"
            say(
                f"{file.name}: {whole}, largest difference to the CPU {result.largest:.1e}, "
                f"root mean square {result.rms:.1e}"
            )
    if failed:
        raise KerasDenoiseError(
            model,
            f"{failed} of {len(files)} files do not run on a GPU as they do on the CPU",
            "do not ship them for GPUs",
        )


def _measure(model: Path, recipe: Recipe, root: Path) -> list[dict[str, Any]]:
    """Denoises the recipe's test sets, and returns the rows of the card's table."""
    from kerasdenoise.evaluation.noisy_sets import (
        Corrupted,
        Corruption,
        Pairs,
        find_images,
        find_pairs,
    )
    from kerasdenoise.evaluation.quality import measure
    from kerasdenoise.inference.denoiser import Denoiser
    from kerasdenoise.metrics import warn_if_worse

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
            named = f"{section.name} {result.noise}"
            say(f"{named}: {row['noisy_psnr']:.2f} to {row['psnr']:.2f} dB")
            for line in warn_if_worse(named, row["noisy_psnr"], row["psnr"]):
                say(line)
    return rows
