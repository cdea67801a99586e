"""`kerasdenoise evaluate`: measures a model on a folder of images."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from kerasdenoise.cli.options import SectionedCommand, needs_training, section, threads_option
from kerasdenoise.cli.report import Report, is_terminal, print_error, say, verbose_option
from kerasdenoise.files import check_target, write_file
from kerasdenoise.foreign import printable

if TYPE_CHECKING:
    from kerasdenoise.evaluation.noisy_sets import NoisySet
    from kerasdenoise.evaluation.quality import Failure, Figures, Result
    from kerasdenoise.inference.denoiser import Denoiser
    from kerasdenoise.metrics.perception import Measure

images = section("Images")
results = section("Results")


@click.command(
    "evaluate", cls=SectionedCommand, short_help="Measure a model on a folder of images."
)
@click.argument("model")
@click.argument("folder", type=click.Path(path_type=Path))
@images(
    "--noise",
    "noises",
    multiple=True,
    metavar="KIND",
    help="Add this noise, such as gaussian:25; may be repeated.",
)
@images(
    "--pairs",
    is_flag=True,
    help="Use pairs of noisy and clean photos: noisy/NAME and clean/NAME, or NAME_real.* and "
    "NAME_mean.*.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Random seed of the noise.  [default: 0]",
)
@images("--limit", type=click.IntRange(min=1), metavar="N", help="Use only the first N images.")
@images("--gray", is_flag=True, help="Convert the images to gray first.")
@click.option(
    "--quality",
    type=click.Choice(["fast", "balanced", "best"]),
    default="balanced",
    metavar="QUALITY",
    help="fast, balanced or best, as in denoise.  [default: balanced]",
)
@results(
    "--metrics",
    metavar="LIST",
    help="Also measure gmsd or flip, or both: gmsd,flip.",
)
@results(
    "--json",
    "json_path",
    metavar="PATH|-",
    help="Write all figures as JSON; - is standard output.",
)
@results("--overwrite", is_flag=True, help="Overwrite an existing JSON file.")
@threads_option
@verbose_option
@click.pass_context
@needs_training
def command(
    ctx: click.Context,
    model: str,
    folder: Path,
    noises: tuple[str, ...],
    pairs: bool,
    seed: int,
    limit: int | None,
    gray: bool,
    quality: Literal["fast", "balanced", "best"],
    metrics: str | None,
    json_path: str | None,
    overwrite: bool,
    threads: int | None,
) -> None:
    """Measure a model on a folder of images.

    \b
        kerasdenoise evaluate photo FOLDER --noise gaussian:25
        kerasdenoise evaluate photo FOLDER --pairs

    Prints PSNR and SSIM as mean ± standard error over images. Gaussian noise is not clipped, as
    in published tables, but the denoised image is; --quality fast also clips and rounds the
    noisy image. For camera noise, images are cropped at the right and bottom to multiples of 16.
    An image's noise depends only on the seed and its position in the folder.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    from kerasdenoise._version import __version__
    from kerasdenoise.evaluation.quality import print_table, to_json
    from kerasdenoise.inference.denoiser import Denoiser
    from kerasdenoise.metrics import warn_if_worse
    from kerasdenoise.metrics.perception import get_metrics

    if bool(noises) == pairs:
        raise click.UsageError("Give either --noise or --pairs.", ctx)
    target = None if json_path in (None, "-") else Path(json_path)
    replaced = None if target is None else check_target(target, overwrite=overwrite)
    sets = _sets(folder, noises, pairs=pairs, seed=seed, limit=limit, gray=gray)
    measures = get_metrics(metrics.split(",")) if metrics else {}
    denoiser = Denoiser(model, threads=threads, quality=quality)
    results = _measure(denoiser, sets, measures, verbose=ctx.ensure_object(Report).verbosity > 0)

    stream = sys.stderr if json_path == "-" else sys.stdout
    print_table(results, printable(f"{denoiser.info.name} on {folder}"), stream)
    if json_path is not None:
        text = to_json(
            results,
            kerasdenoise=__version__,
            model={"name": denoiser.info.name, "sha256": _sha256(denoiser.info.tile_path)},
            quality=quality,
            folder=str(folder),
            seed=None if pairs else seed,
            gray=gray,
            threads=denoiser.threads,
        )
        if target is None:
            click.echo(text, nl=False)
        else:
            write_file(target, text, replaces=replaced, option="--json")
    for result in results:
        for line in warn_if_worse(result.noise, result.mean("noisy_psnr"), result.mean("psnr")):
            say(line)
    failures = [failure for result in results for failure in result.failures]
    for failure in failures:
        print_error(failure.error)
    ctx.exit(1 if failures else 0)


def _sets(
    folder: Path,
    noises: Sequence[str],
    *,
    pairs: bool,
    seed: int,
    limit: int | None,
    gray: bool,
) -> Sequence[NoisySet]:
    from kerasdenoise.evaluation.noisy_sets import (
        Corrupted,
        Corruption,
        Pairs,
        find_images,
        find_pairs,
    )

    if pairs:
        return [Pairs(find_pairs(folder)[:limit], gray=gray)]
    files = find_images(folder)[:limit]
    return [Corrupted(files, Corruption(noise), seed, gray) for noise in dict.fromkeys(noises)]


def _measure(
    denoiser: Denoiser,
    sets: Sequence[NoisySet],
    metrics: Mapping[str, Measure],
    *,
    verbose: bool,
) -> list[Result]:
    from kerasdenoise.cli.report import Progress
    from kerasdenoise.evaluation.quality import measure

    images = [1 for samples in sets for _ in samples.names]
    with Progress(images if is_terminal() else None, quiet=not verbose) as progress:

        def end(outcome: Figures | Failure) -> None:
            progress.end_file()
            progress.line(_line(outcome))

        return [
            measure(denoiser, samples, metrics=metrics, on_start=progress.start_file, on_end=end)
            for samples in sets
        ]


def _line(outcome: Figures | Failure) -> str:
    from kerasdenoise.evaluation.quality import Failure

    if isinstance(outcome, Failure):
        return f"{outcome.name}: failed"
    return (
        f"{outcome.name}: noisy {outcome.noisy_psnr:.2f} dB, denoised {outcome.psnr:.2f} dB, "
        f"SSIM {outcome.ssim:.4f} ({outcome.seconds:.2f} s)"
    )


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
