"""`kerasdenoise denoise`: photos in, clean photos out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from kerasdenoise.cli.grouped import SectionedCommand, section
from kerasdenoise.cli.report import Report, verbose_option
from kerasdenoise.cli.types import BytesType, CodingType, PointType, SigmaType, TileType
from kerasdenoise.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Stands for standard input and standard output.
_STREAM = "-"

files = section("Files")
denoising = section("Denoising")
reading = section("Reading")
writing = section("Writing")
looking = section("Looking first")
machine = section("Time and memory")
telling = section("Messages")


def _complete_model(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from kerasdenoise.zoo import list_models

    return [
        CompletionItem(info.name, help=info.summary)
        for info in list_models()
        if info.name.startswith(incomplete)
    ]


@click.command("denoise", cls=SectionedCommand, short_help="Remove the noise from photos.")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(), metavar="PHOTO|FOLDER|-...")
@files(
    "-o",
    "--output",
    type=click.Path(),  # not a Path, which would drop a / at the end
    help="File to write, or folder if it ends in / or there are several inputs; - for standard "
    "output.  [default: photo_denoised.jpg beside photo.jpg]",
)
@files("-r", "--recursive", is_flag=True, help="Do the folders in folders as well.")
@files(
    "--name",
    metavar="TEMPLATE",
    help="What results are called, of {stem}, {ext}, {model} and {strength}.  "
    "[default: {stem}_denoised{ext}, or as before in another folder]",
)
@files("--overwrite", is_flag=True, help="Replace results that are there.")
@files(
    "--skip-existing",
    is_flag=True,
    help="Skip photos whose result is there: goes on with a run that was stopped.",
)
@denoising(
    "-m",
    "--model",
    shell_complete=_complete_model,
    help="Saved model, by name or by the path of its folder.",
)
@denoising(
    "-s",
    "--strength",
    type=float,
    default=1.0,
    show_default=True,
    help="How much of the noise to remove, from 0 to 1; up to 2 for more than the model finds, "
    "if it goes by a noise level.",
)
@denoising(
    "--sigma",
    type=SigmaType(),
    default="auto",
    show_default=True,
    metavar="auto|N",
    help="Standard deviation of the noise, of 0-255, for a model that goes by a noise level; "
    "auto estimates it from each photo.",
)
@denoising(
    "--keep-grain",
    type=float,
    default=0.0,
    metavar="AMOUNT",
    help="How much of the noise to give back, from 0 to 1, but none of it in color.  [default: 0]",
)
@denoising(
    "--quality",
    type=click.Choice(["fast", "balanced", "best"]),
    default="balanced",
    show_default=True,
    help="fast computes with 8-bit integers; best takes the mean over flips and turns, and eight "
    "times as long.",
)
@reading(
    "--first-only",
    is_flag=True,
    help="Do the first picture of a file that has several, which is otherwise refused.",
)
@reading("--half-size", is_flag=True, help="Develop camera raw at half its height and width.")
@writing(
    "-q",
    "--jpeg-quality",
    type=CodingType(),
    metavar="keep|N",
    help="Quality of JPEG and other files coded with loss, from 1 to 100; keep codes a JPEG file "
    "as it came.  [default: 95]",
)
@writing(
    "--bit-depth",
    type=click.Choice(["8", "16", "32"]),
    help="Bits per sample of the results; 32 are floating-point numbers.  [default: as before]",
)
@writing(
    "--metadata",
    type=click.Choice(["keep", "no-gps", "none"]),
    default="keep",
    show_default=True,
    help="What of EXIF, XMP and the like is written: all, all but the place, or nothing but what "
    "decides how the photo looks.",
)
@looking(
    "--preview",
    type=PointType(),
    is_flag=False,
    flag_value="middle",
    metavar="[X,Y]",
    help="Denoise a small part only, in the middle or around a pixel, and write it before and "
    "after to photo_preview.png.",
)
@looking(
    "--compare",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the photo before and after, side by side, as well.",
)
@looking("-n", "--dry-run", is_flag=True, help="Say what would be written, and do nothing.")
@machine(
    "--tile",
    type=TileType(),
    default="auto",
    show_default=True,
    metavar="auto|N",
    help="Largest edge of a tile in pixels; less takes less memory, never another result.",
)
@machine(
    "--max-memory",
    type=BytesType(),
    metavar="SIZE",
    help="Memory for the work on a tile, and as much again for a decoded photo, as 300M or 1.5G.  "
    "[default: 640M, and half of what is free]",
)
@machine(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads of the network; with 1 nothing is read ahead either.  [default: all cores]",
)
@telling("--json", "as_json", is_flag=True, help="Print one JSON object per photo.")
@telling("--quiet", is_flag=True, help="Print nothing but errors.")
@verbose_option
@click.pass_context
def command(
    ctx: click.Context,
    inputs: tuple[str, ...],
    output: str | None,
    recursive: bool,
    name: str | None,
    overwrite: bool,
    skip_existing: bool,
    model: str | None,
    strength: float,
    sigma: float | None,
    keep_grain: float,
    quality: Literal["fast", "balanced", "best"],
    first_only: bool,
    half_size: bool,
    jpeg_quality: int | Literal["keep"] | None,
    bit_depth: str | None,
    metadata: Literal["keep", "no-gps", "none"],
    preview: tuple[int, int] | Literal["middle"] | None,
    compare: Path | None,
    dry_run: bool,
    tile: int | Literal["auto"],
    max_memory: int | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Remove the noise from photos.

    The result of photo.jpg is photo_denoised.jpg, beside it; a folder's tree is mirrored below
    the folder that -o names. Size, orientation, bit depth, transparency, color profile and the
    camera's data stay as they are. - is a photo on standard input.
    """
    from kerasdenoise.cli.treatment import Treatment
    from kerasdenoise.inference.denoiser import Denoiser

    several = {"-r": recursive, "--name": name, "--skip-existing": skip_existing}
    instead = {"--dry-run": dry_run, "--compare": compare, "--json": as_json}
    if _STREAM in (*inputs, output):
        _refuse("-", {**several, **instead, "--preview": preview})
    elif preview:
        _refuse("--preview", {**instead, "--name": name, "--skip-existing": skip_existing})
    denoiser = Denoiser(
        model,
        threads=threads,
        tile=tile,
        sigma=None if sigma is None else sigma / 255,
        quality=quality,
        max_memory=max_memory,
    )
    treatment = Treatment(
        denoiser,
        strength,
        keep_grain,
        overwrite,
        quality=jpeg_quality,
        metadata=metadata,
        bit_depth=int(bit_depth) if bit_depth else None,
        first_only=first_only,
        half_size=half_size,
        max_memory=max_memory,
    )
    report = ctx.ensure_object(Report)
    if _STREAM in (*inputs, output):
        from kerasdenoise.cli.pipe import denoise_stream

        denoise_stream(inputs, None if output == _STREAM else output, treatment, quiet=quiet)
    elif preview:
        from kerasdenoise.cli.preview import write_previews

        code = write_previews(
            inputs, output, treatment, preview, recursive=recursive, quiet=quiet, report=report
        )
        ctx.exit(code)
    else:
        from kerasdenoise.cli.batch import Batch
        from kerasdenoise.cli.planning import check_compare, make_plan

        plan, notes = make_plan(
            inputs,
            output,
            treatment,
            name=name,
            recursive=recursive,
            skip_existing=skip_existing,
        )
        if compare:
            check_compare(compare, plan, overwrite=overwrite)
        batch = Batch(
            treatment,
            compare=compare,
            skip_existing=skip_existing,
            max_memory=max_memory,
            as_json=as_json,
            quiet=quiet,
            report=report,
        )
        ctx.exit((batch.list if dry_run else batch.run)(plan, notes))


def _refuse(option: str, others: Mapping[str, object]) -> None:
    """Refuses options that would do nothing beside another."""
    for other, value in others.items():
        if value:
            raise UsageError(option, f"contradicts {other}", "give one of them")
