"""`kerasdenoise denoise`: noisy photos in, clean photos out."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from kerasdenoise.cli.options import (
    CODING,
    POINT,
    SIGMA,
    STRENGTHS,
    TILE,
    SectionedCommand,
    max_memory_option,
    section,
    threads_option,
)
from kerasdenoise.cli.report import Report, verbose_option
from kerasdenoise.errors import UsageError
from kerasdenoise.stores import as_path, is_address

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from kerasdenoise.inference.gpu import Device

# Standard input or standard output.
_STREAM = "-"

denoising = section("Denoising")
files = section("Files")


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


@click.command("denoise", cls=SectionedCommand, short_help="Remove noise from photos.")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(), metavar="PHOTO|FOLDER|-...")
@denoising(
    "-s",
    "--strength",
    type=float,
    default=1.0,
    metavar="0..2",
    help="Share of noise to remove; above 1, more.  [default: 1]",
)
@denoising(
    "--luma",
    type=float,
    default=1.0,
    metavar="0..2",
    help="Multiplies --strength for brightness.  [default: 1]",
)
@denoising(
    "--chroma",
    type=float,
    default=1.0,
    metavar="0..2",
    help="Multiplies --strength for color.  [default: 1]",
)
@denoising(
    "--detail",
    type=float,
    default=0.0,
    metavar="0..1",
    help="Lost fine detail to restore.  [default: 0]",
)
@denoising(
    "--keep-grain",
    type=float,
    default=0.0,
    metavar="0..1",
    help="Noise to restore, without its color.  [default: 0]",
)
@denoising(
    "-m",
    "--model",
    shell_complete=_complete_model,
    metavar="MODEL",
    help="A saved model's name or folder, or a .keras file.",
)
@denoising(
    "--quality",
    type=click.Choice(["fast", "balanced", "best"]),
    default="balanced",
    metavar="QUALITY",
    help="fast, balanced (default), or best (8 times slower).",
)
@denoising(
    "--naturalness",
    type=float,
    metavar="0..1",
    help="Detail to invent, with models for that.  [default: 1]",
)
@denoising("--seed", type=int, metavar="N", help="Variant of the invented detail.  [default: 0]")
@files(
    "-o",
    "--output",
    type=click.Path(),  # not a Path, which would drop a / at the end
    help="Output file or folder/, or - for standard output.",
)
@files("-r", "--recursive", is_flag=True, help="Include subfolders.")
@files(
    "--name",
    metavar="TEMPLATE",
    help="Names, from {stem}, {ext}, {model}, {strength}.",
)
@files("--overwrite", is_flag=True, help="Overwrite existing results.")
@files("--skip-existing", is_flag=True, help="Skip photos with a result; resumes a run.")
@files("--watch", is_flag=True, help="Wait for new photos in a folder.")
@files(
    "--preview",
    type=POINT,
    is_flag=False,
    flag_value="middle",
    metavar="[X,Y]",
    help="Write only a small part, before and after.",
)
@files(
    "--strengths",
    type=STRENGTHS,
    metavar="A,B,...",
    help="With --preview: compare these strengths.",
)
@files(
    "--compare",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the photo before and after.",
)
@files(
    "--ray",
    is_flag=False,
    flag_value="local",
    metavar="[ADDRESS]",
    help="Use a Ray cluster; takes s3://... too.",
)
@files("-n", "--dry-run", is_flag=True, help="Print what would be written, and stop.")
@files(
    "-q",
    "--jpeg-quality",
    type=CODING,
    metavar="keep|N",
    help="Quality, 1 to 100.  [default: the JPEG's, or 95]",
)
@files(
    "--bit-depth",
    type=click.Choice(["8", "16", "32"]),
    help="Bits per sample; 32 is floating point.",
)
@files(
    "--metadata",
    type=click.Choice(["keep", "no-gps", "none"]),
    default="keep",
    metavar="KIND",
    help="keep, no-gps, or none.  [default: keep]",
)
@files("--first-only", is_flag=True, help="Use the first image of a file with several.")
@files("--half-size", is_flag=True, help="Develop camera raw at half height and width.")
@click.option(
    "--sigma",
    type=SIGMA,
    default="auto",
    metavar="auto|N",
    help="Noise level from 0 to 255, for models that take one.",
)
@click.option(
    "--tile",
    type=TILE,
    default="auto",
    metavar="auto|N",
    help="Largest tile size; changes memory, not the result.",
)
@max_memory_option
@threads_option
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    metavar="NAME",
    help="auto, cpu or gpu; see `models devices`.  [default: auto]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per photo.")
@click.option("--quiet", is_flag=True, help="Print only errors.")
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
    watch: bool,
    model: str | None,
    strength: float,
    sigma: float | None,
    luma: float,
    chroma: float,
    detail: float,
    keep_grain: float,
    quality: Literal["fast", "balanced", "best"],
    naturalness: float | None,
    seed: int | None,
    first_only: bool,
    half_size: bool,
    jpeg_quality: int | Literal["keep"] | None,
    bit_depth: str | None,
    metadata: Literal["keep", "no-gps", "none"],
    preview: tuple[int, int] | Literal["middle"] | None,
    strengths: tuple[float, ...] | None,
    compare: Path | None,
    ray: str | None,
    dry_run: bool,
    tile: int | Literal["auto"],
    max_memory: int | None,
    threads: int | None,
    device: Device,
    as_json: bool,
    quiet: bool,
) -> None:
    """Remove noise from photos and leave everything else untouched.

    \b
        kerasdenoise denoise photo.jpg              writes photo_denoised.jpg
        kerasdenoise denoise shoot/ -r -o clean/    a folder and its subfolders
    """  # noqa: D301 (\b keeps the lines after it as they are)
    from kerasdenoise.cli.treatment import Request

    several = {"-r": recursive, "--name": name, "--skip-existing": skip_existing}
    instead = {"--dry-run": dry_run, "--compare": compare, "--json": as_json}
    if _STREAM in (*inputs, output):
        _refuse("-", {**several, **instead, "--preview": preview, "--watch": watch})
    elif preview:
        _refuse("--preview", {**instead, "--name": name, "--skip-existing": skip_existing})
    if strengths:
        if not preview:
            raise UsageError("--strengths", "needs --preview", "add --preview, or use --strength")
        if ctx.get_parameter_source("strength") is not ParameterSource.DEFAULT:
            _refuse("--strengths", {"--strength": True})
    if ray:
        others = {"--watch": watch, "--preview": preview, "--compare": compare}
        _refuse("--ray", {**others, "--device gpu": device == "gpu"})
        if output is None or _STREAM in (*inputs, output):
            raise UsageError("--ray", "needs a folder for the results", "add -o FOLDER")
        output = f"{output}/"
    else:
        _refuse_addresses((*inputs, output or ""))
    if watch:
        from kerasdenoise.cli.watch import check_watch

        others = {"--overwrite": overwrite, "--dry-run": dry_run, "--compare": compare}
        _refuse("--watch", {**others, "--preview": preview})
        check_watch(inputs, output)
    if model and model.endswith(".keras"):
        _refuse("--ray", {f"-m {model}": ray})
        from kerasdenoise.cli.options import check_training

        check_training()
    request = Request(
        model,
        strength=strengths[0] if strengths else strength,
        luma=luma,
        chroma=chroma,
        detail=detail,
        keep_grain=keep_grain,
        sigma=None if sigma is None else sigma / 255,
        quality=quality,
        naturalness=naturalness,
        seed=seed,
        tile=tile,
        threads=(threads or 1) if ray else threads,
        max_memory=max_memory,
        device="cpu" if ray else device,
        overwrite=overwrite,
        jpeg_quality=jpeg_quality,
        metadata=metadata,
        bit_depth=int(bit_depth) if bit_depth else None,
        first_only=first_only,
        half_size=half_size,
    )
    with _named_as_options(ctx):
        treatment = request.prepare()
        prepare = functools.partial(
            treatment.denoiser.prepare,
            luma=luma,
            chroma=chroma,
            detail=detail,
            keep_grain=keep_grain,
        )
        settings = [prepare(strength=each) for each in strengths or (strength,)]
    report = ctx.ensure_object(Report)
    if _STREAM in (*inputs, output):
        from kerasdenoise.cli.pipe import denoise_stream

        denoise_stream(inputs, None if output == _STREAM else output, treatment, quiet=quiet)
    elif preview:
        from kerasdenoise.cli.preview import write_previews

        treatments = [dataclasses.replace(treatment, settings=each) for each in settings]
        code = write_previews(
            inputs, output, treatments, preview, recursive=recursive, quiet=quiet, report=report
        )
        ctx.exit(code)
    else:
        from kerasdenoise.cli.batch import Batch
        from kerasdenoise.cli.treatment import check_compare, make_plan

        find = functools.partial(
            make_plan,
            inputs,
            f"{output}{os.sep}" if watch else output,
            treatment,
            name=name,
            recursive=recursive,
            skip_existing=skip_existing or watch,
        )
        make_batch = functools.partial(
            Batch,
            treatment,
            skip_existing=skip_existing or watch,
            max_memory=max_memory,
            as_json=as_json,
            quiet=quiet,
            report=report,
        )
        if watch:
            from kerasdenoise.cli.watch import watch_folder

            silent = quiet or as_json
            ctx.exit(watch_folder(inputs[0], find, lambda plan: make_batch().run(plan), silent))
        plan, notes = find()
        replaced = check_compare(compare, plan, overwrite=overwrite) if compare else None
        batch = make_batch(compare=(compare, replaced) if compare else None)
        if dry_run or not ray or not plan.jobs:
            ctx.exit((batch.list if dry_run else batch.run)(plan, notes))
        from kerasdenoise.cli.cluster import Order, join_cluster

        order = Order(request, skip_existing=skip_existing)
        with join_cluster(ray) as cluster:
            denoise_all = cluster.prepare(order, treatment, plan.jobs, as_path(output or ""))
            ctx.exit(batch.run(plan, notes, denoise_all))


@contextlib.contextmanager
def _named_as_options(ctx: click.Context) -> Iterator[None]:
    """Has errors about Python's arguments name the options of the command line."""
    try:
        yield
    except UsageError as error:
        name, _, value = error.subject.partition(" ")
        if name == "strength" and ctx.params["strengths"]:
            name = "strengths"
        for option in ctx.command.params:
            if option.name == name and value:
                subject = f"{option.opts[-1]} {value.removesuffix('/255')}"
                raise type(error)(subject, error.cause, error.remedy) from error
        raise


def _refuse_addresses(names: Iterable[str]) -> None:
    """Rejects addresses of stores, but not pages of the web, which are no stores."""
    for name in names:
        if is_address(name) and not name.startswith(("http://", "https://")):
            raise UsageError(name, "is an address, not a file or folder", "add --ray")


def _refuse(option: str, others: Mapping[str, object]) -> None:
    """Rejects options that have no effect together with another."""
    for other, value in others.items():
        if value:
            raise UsageError(option, f"cannot be combined with {other}", "remove one of them")
