"""`kerasdenoise export`: turns training runs into saved models, and those into LiteRT files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from kerasdenoise.cli.options import EDGE, SectionedCommand, data_option, needs_training, section
from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.errors import KerasDenoiseError, ModelError, UsageError

if TYPE_CHECKING:
    import keras

    from kerasdenoise.export.files import Order
    from kerasdenoise.export.kinds import Variant
    from kerasdenoise.training.recipe import Recipe

_KINDS = {
    "float32": "Unchanged network; the default.",
    "float16": "16-bit weights, half the size.",
    "dynamic": "8-bit weights; activations are rounded at run time.",
    "int8": "8-bit integers only, uint8 in and out, calibrated.",
    "int16x8": "16-bit activations, 8-bit weights, calibrated.",
}

_files, _types = section("Files"), section("Number types")

_RUN_FOLDER = Path("saved_models")
_FILES_FOLDER = Path("exported")


def _kind_options(command: Any) -> Any:
    for kind, text in reversed(_KINDS.items()):
        command = _types(f"--{kind}", is_flag=True, help=text)(command)
    return command


@click.command("export", cls=SectionedCommand, short_help="Export a training run or a saved model.")
@click.argument("model", metavar="RUN|MODEL")
@_files("--name", help="Name of a run's model.  [default: the recipe's name]")
@_files(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Parent folder.  [default: saved_models for a run, exported for a model]",
)
@_files("--add", is_flag=True, help="Add files to the saved model's own folder.")
@_kind_options
@_files(
    "--target",
    type=click.Choice(["cpu", "mobile", "darktable"]),
    default="cpu",
    metavar="TARGET",
    help="cpu (default); mobile: runs entirely on phone GPUs and NPUs; or darktable: a package for "
    "darktable 5.6.",
)
@_files("--onnx", is_flag=True, help="ONNX instead of LiteRT files.")
@_files(
    "--size",
    "sizes",
    type=EDGE,
    multiple=True,
    help="Image height and width, or dynamic; may be repeated.  [default: dynamic; 256 for mobile]",
)
@data_option
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    help="Clean photos for calibration and measuring.  [default: the recipe's]",
)
@click.option(
    "--integers",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="Quantization-aware run to take the int8 weights and scales from.",
)
@click.option("--force", is_flag=True, help="Keep files that lose too much quality.")
@click.option(
    "--check-gpu",
    is_flag=True,
    help="Only run the mobile files, or the given file, on a GPU.",
)
@_files("--overwrite", is_flag=True, help="Overwrite an existing model or files.")
@verbose_option
@needs_training
def command(
    model: str,
    name: str | None,
    output: Path | None,
    add: bool,
    target: Literal["cpu", "mobile", "darktable"],
    onnx: bool,
    sizes: Sequence[int | Literal["dynamic"]],
    data: Path | None,
    photos: Path | None,
    integers: Path | None,
    force: bool,
    check_gpu: bool,
    overwrite: bool,
    **kinds: bool,
) -> None:
    """Export a training run or a saved model.

    \b
        kerasdenoise export runs/photo               adds to saved_models/
        kerasdenoise export photo --target mobile    writes to exported/

    A run becomes a saved model: Keras, SavedModel and LiteRT files, a card with its results on
    the recipe's test sets, and an entry in index.json. A saved model becomes LiteRT files such as
    mobile_256_int8.tflite, each with a .json that tells apps how to run it. Each number type is
    written in each size; for a run, these files are added to the saved model. Files that lose
    more than 0.1 dB against Keras (float16: 0.01 dB) are rejected.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    if check_gpu:
        _check_gpu(model)
        return
    if name is not None and Path(name).name != name:
        raise UsageError(f"--name {name}", "is a path", "give a name, and the folder with --output")
    if add and output:
        raise UsageError("--add", "cannot be combined with --output", "remove one of them")
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.export.files import Order
    from kerasdenoise.training.network import is_run

    if onnx or target == "darktable":
        _check_onnx(onnx, target, sizes, add=add, is_run=is_run(Path(model)))
    variants = _list_variants(kinds, target, sizes, onnx=onnx)
    trained = _load_integers(integers, kinds) if integers else None
    order = Order(variants, data, photos, trained, force, _report)
    if target == "darktable":
        from kerasdenoise.export.darktable import write_package

        say(f"{write_package(model, order, output or _FILES_FOLDER, overwrite=overwrite)}: written")
    elif is_run(Path(model)):
        if add:
            raise UsageError("--add", "is only for saved models", "remove it for a training run")
        _export_run(Path(model), name, output or _RUN_FOLDER, order, overwrite=overwrite)
    else:
        _export_files(model, name, None if add else output or _FILES_FOLDER, order, overwrite)


def _list_variants(
    kinds: Mapping[str, bool],
    target: Literal["cpu", "mobile", "darktable"],
    sizes: Sequence[int | Literal["dynamic"]],
    *,
    onnx: bool,
) -> list[Variant]:
    from kerasdenoise.export.kinds import Variant

    chosen: list[Any] = [kind for kind, is_chosen in kinds.items() if is_chosen]
    default: list[int | Literal["dynamic"]] = [256 if target == "mobile" else "dynamic"]
    if target == "darktable" and len(chosen) > 1:
        raise UsageError(
            f"--{chosen[0]} --{chosen[1]}", "are two number types for one package", "give one"
        )
    return [
        Variant(
            kind,
            "onnx" if onnx or target == "darktable" else target,
            None if size == "dynamic" else size,
        )
        for size in dict.fromkeys(sizes or default)
        for kind in chosen or ["float32"]
    ]


def _check_onnx(
    onnx: bool,
    target: Literal["cpu", "mobile", "darktable"],
    sizes: Sequence[int | Literal["dynamic"]],
    *,
    add: bool,
    is_run: bool,
) -> None:
    from kerasdenoise.export.onnx import check_onnx

    if onnx and target != "cpu":
        raise UsageError("--onnx", f"cannot be combined with --target {target}", "remove one")
    if target == "darktable":
        if is_run:
            remedy = "export the run as a saved model first"
            raise UsageError("--target darktable", "is only for saved models", remedy)
        for option, is_given in (("--add", add), ("--size", bool(sizes))):
            if is_given:
                raise UsageError(option, "cannot be combined with --target darktable", "remove it")
    check_onnx("--onnx" if onnx else "--target darktable")


def _load_integers(run: Path, kinds: Mapping[str, bool]) -> keras.Model:
    from kerasdenoise.training.network import load_run

    if not kinds["int8"]:
        raise UsageError("--integers", "is only for --int8", "add --int8")
    recipe, rounded = load_run(run)
    if not recipe.model.quantization_aware:
        raise UsageError(
            f"--integers {run}",
            "is not a quantization-aware run",
            "give a run whose recipe has quantization_aware = true",
        )
    return rounded


def _export_run(
    run: Path, name: str | None, output: Path, order: Order, *, overwrite: bool
) -> None:
    import dataclasses

    from kerasdenoise.export.kinds import Variant
    from kerasdenoise.export.model_package import check_free, write_saved_model
    from kerasdenoise.training.network import load_run, read_run

    target = output / (name or read_run(run).name)
    check_free(target, overwrite=overwrite)
    recipe, denoiser = load_run(run)
    if recipe.model.quantization_aware:
        raise UsageError(
            run,
            "is a quantization-aware run",
            f"export the run that it started from, with --int8 --integers {run}",
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
    from kerasdenoise.export.model_package import add_files, deliver_files
    from kerasdenoise.zoo import find_model, model_names

    if name is not None:
        raise UsageError("--name", "is only for training runs", "remove it for a saved model")
    try:
        find_model(model)
    except ModelError as error:
        if Path(model).exists():
            raise
        raise ModelError(
            model,
            "is neither a training run nor a saved model",
            f"give a run folder, or one of {', '.join(model_names())}",
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
            f"  only {tile['step'] or 0} of {tile['size']} pixels per side are used, the rest is "
            f"halo; --size {_roomy_size(tile['halo'])} is more efficient"
        )


def _roomy_size(halo: int) -> int:
    """The smallest power of two with a halo of at most half."""
    return 2 ** math.ceil(math.log2(4 * halo))


def _check_gpu(model: str) -> None:
    """Runs files on the GPU, and reports whether each ran entirely there."""
    from kerasdenoise.export.gpu import check_gpu
    from kerasdenoise.zoo import find_model

    given = Path(model)
    files = [given] if given.suffix == ".tflite" else find_model(model).mobile_paths
    if not files:
        raise UsageError(
            model, "has no mobile files", f"run export {model} --target mobile --add to write them"
        )
    failed = 0
    for file in files:
        result = check_gpu(file)
        failed += not result.passed
        if result.cause:
            say(f"{file.name}: does not run entirely on the GPU: {result.cause}")
        else:
            whole = "fully accelerated" if result.whole else "partly on the CPU"
            say(
                f"{file.name}: {whole}, largest difference to the CPU {result.largest:.1e}, "
                f"root mean square {result.rms:.1e}"
            )
    if failed:
        raise KerasDenoiseError(
            model,
            f"{failed} of {len(files)} files fail on the GPU or differ from the CPU",
            "do not use them on GPUs",
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
    for test_set in recipe.benchmark:
        folder = root / test_set.folder
        if not folder.is_dir():
            say(f"{folder}: does not exist; {test_set.name} not measured")
            continue
        sets = [Corrupted(find_images(folder), Corruption(each.text)) for each in test_set.noises]
        for samples in sets or [Pairs(find_pairs(folder))]:
            result = measure(denoiser, samples)
            if result.failures:
                raise UsageError(test_set.name, result.failures[0].error, "repair the test set")
            error = result.standard_error("psnr")
            row = {
                "set": test_set.name,
                "folder": test_set.folder,
                "noise": result.noise if test_set.noises else None,
                "images": len(result.images),
                "noisy_psnr": result.mean("noisy_psnr"),
                "psnr": result.mean("psnr"),
                "psnr_error": error if math.isfinite(error) else None,
                "ssim": result.mean("ssim"),
            }
            rows.append(row)
            named = f"{test_set.name} {result.noise}"
            say(f"{named}: {row['noisy_psnr']:.2f} to {row['psnr']:.2f} dB")
            for line in warn_if_worse(named, row["noisy_psnr"], row["psnr"]):
                say(line)
    return rows
