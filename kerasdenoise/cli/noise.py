"""`kerasdenoise noise`: a clean picture in, a noisy one out."""

from __future__ import annotations

from pathlib import Path

import click

from kerasdenoise.cli.report import arrow, say, verbose_option
from kerasdenoise.cli.requirements import needs_training


@click.command("noise", short_help="Add noise to an image.")
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "--kind",
    required=True,
    help="The noise, such as gaussian:25 (standard deviation of 0-255), camera:0.004 (shot noise "
    "factor), poisson:5.5 or salt_and_pepper:0.05; see docs/noise.md.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="The same seed gives the same noise.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),  # not a Path, which would drop a / at the end
    help="File to write, or folder if it ends in /.  [default: photo_noisy.png beside photo.png]",
)
@click.option("--overwrite", is_flag=True, help="Replace a result that is there.")
@verbose_option
@needs_training
def command(image: Path, kind: str, seed: int, output: str | None, overwrite: bool) -> None:
    """Add noise to an image.

    The result of photo.png is photo_noisy.png, beside it. It is clipped and rounded as the
    file's format needs; transparency, color profile and the camera's data stay as they are.
    """
    import numpy as np

    from kerasdenoise.evaluation.noisy_sets import Corruption
    from kerasdenoise.images.naming import NameTemplate
    from kerasdenoise.images.plan import plan_jobs
    from kerasdenoise.images.read import read_image
    from kerasdenoise.images.write import write_image
    from kerasdenoise.inference.input_checks import check_finite

    name = NameTemplate("{stem}_noisy{ext}") if output is None else None
    (job,) = plan_jobs([image], output, name=name, overwrite=overwrite).jobs
    clean = read_image(job.source)
    check_finite(clean.pixels, job.source)
    corruption = Corruption(kind)
    padding = [(0, -side % corruption.multiple) for side in (clean.height, clean.width)]
    padded = np.pad(clean.pixels, [*padding, (0, 0)], mode="reflect")
    noisy = corruption(padded, seed, name=job.source)[: clean.height, : clean.width]
    write_image(clean.with_pixels(noisy), job.target, overwrite=overwrite, job=job)
    say(f"{job.source} {arrow()} {job.target}")
