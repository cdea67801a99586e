"""`kerasdenoise adapt`: noisy photos in, a model for their noise out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerasdenoise.cli.options import needs_training
from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.errors import KerasDenoiseError, ModelError, UsageError

if TYPE_CHECKING:
    from kerasdenoise.training.run import Progress


@click.command("adapt", short_help="Learn from your own noisy photos.")
@click.argument("folder", type=click.Path(), required=False)
@click.option("--name", required=True, help="Name of the new model.")
@click.option(
    "--from",
    "base",
    default="photo",
    metavar="MODEL",
    help="Model to start from.  [default: photo]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=10,
    metavar="N",
    help="Longest time for learning; judging and saving take a minute more.  [default: 10]",
)
@click.option(
    "--method",
    type=click.Choice(["quick", "neighbors", "zero-shot", "fast", "burst"]),
    help="How to learn.  [default: chosen by the noise]",
)
@click.option(
    "--pairs",
    type=click.Path(),
    nargs=2,
    metavar="NOISY CLEAN",
    help="Instead of FOLDER: two folders whose photos have the same names.",
)
@click.option("--camera", metavar="NAME", help="Only photos of this camera; all for any.")
@click.option("-r", "--recursive", is_flag=True, help="Include subfolders.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("saved_models"),
    help="Parent folder of the model.  [default: saved_models]",
)
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="Folder for the training and its picture; an existing one resumes.  [default: "
    "runs/adapt_ + the name]",
)
@click.option("--overwrite", is_flag=True, help="Overwrite an existing model.")
@verbose_option
@needs_training
def command(
    folder: str | None,
    name: str,
    base: str,
    minutes: float,
    method: str | None,
    pairs: tuple[str, str] | None,
    camera: str | None,
    recursive: bool,
    output: Path,
    run: Path | None,
    overwrite: bool,
) -> None:
    """Learn from your own noisy photos.

    \b
        kerasdenoise adapt shoot/ --name mycam
        kerasdenoise denoise photo.jpg --model mycam

    Never changes your photos. Reports what noise they have, learns from most of them, and judges
    by the rest. A model that is not better is not saved. Ctrl-C ends learning and judges what was
    learned; the same command resumes.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    started = time.monotonic()
    from kerasdenoise.foreign import fault_of_name
    from kerasdenoise.paths.photos import find_photos

    if fault := fault_of_name(name):
        raise UsageError(f"--name {name}", fault, "give a plain name")

    def find(where: str) -> list[Path]:
        return find_photos([where], recursive=recursive, output=str(output)).photos

    targets: list[Path] = []
    if folder and not pairs:
        photos = find(folder)
    elif pairs and not (folder or method):
        photos, targets = _match(*map(find, pairs))
    else:
        raise UsageError(
            "FOLDER, --pairs and --method",
            "do not go together" if pairs else "are missing",
            "give FOLDER, with --method or without, or --pairs NOISY CLEAN alone",
        )
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.adaptation.adapt import adapt

    outcome = adapt(
        photos,
        output / name,
        run or Path("runs") / f"adapt_{name}",
        base=base,
        method=method,
        targets=targets,
        camera=camera,
        # Imports take time too.
        seconds=60 * minutes - (time.monotonic() - started),
        overwrite=overwrite,
        say=say,
        report=_print_progress,
    )
    if outcome.model is None:
        raise KerasDenoiseError(
            name,
            f"is not measurably better than {base}, and was not saved",
            f"use --model {base}; if the training was cut short, run the same command again",
        )
    say(f"{outcome.model}: saved; next: kerasdenoise denoise PHOTO --model {_call(outcome.model)}")


def _match(photos: list[Path], others: list[Path]) -> tuple[list[Path], list[Path]]:
    """Pairs photos by their names without suffixes."""
    known = {each.stem: each for each in others}
    both = [(photo, known[photo.stem]) for photo in photos if photo.stem in known]
    if not both:
        raise UsageError(
            "--pairs",
            f"finds no name in both folders (for example, only {photos[0].name} is in the first)",
            "give the photos of a scene the same name in both folders",
        )
    if alone := len(photos) - len(both):
        say(f"skipped {alone} of {len(photos)} photos, because the other folder has no such name")
    noisy, clean = map(list, zip(*both, strict=True))
    return noisy, clean


def _call(model: Path) -> str:
    """The name that other commands find a model by, or else its folder."""
    from kerasdenoise.zoo import find_model

    try:
        is_found = find_model(model.name).folder.resolve() == model.resolve()
    except ModelError:
        is_found = False
    return model.name if is_found else str(model)


def _print_progress(progress: Progress) -> None:
    (psnr,) = progress.psnr.values()
    say(
        f"step {progress.step}/{progress.steps}  held-out pixels {psnr:.2f} dB  "
        f"{progress.seconds_left:.0f} s left"
    )
