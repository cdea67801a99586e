"""`kerasdenoise noise`: a clean image in, a noisy one out."""

from __future__ import annotations

from pathlib import Path

import click

from kerasdenoise.cli.options import needs_training
from kerasdenoise.cli.report import arrow, say, verbose_option


@click.command("noise", short_help="Add noise to an image.")
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "--kind",
    required=True,
    metavar="KIND",
    help="gaussian:25 (standard deviation, 0-255), camera:0.004 (shot noise factor), poisson:5.5, "
    "salt_and_pepper:0.05, or another kind from docs/noise.md.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Random seed.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),  # not a Path, which would drop a / at the end
    help="Output file or folder/.  [default: photo_noisy.png beside photo.png]",
)
@click.option("--overwrite", is_flag=True, help="Overwrite an existing result.")
@verbose_option
@needs_training
def command(image: Path, kind: str, seed: int, output: str | None, overwrite: bool) -> None:
    """Add noise to an image.

    \b
        kerasdenoise noise photo.png --kind gaussian:25    writes photo_noisy.png

    The result is clipped and rounded as its format requires. Transparency, color profile and
    camera data stay unchanged.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    import numpy as np

    from kerasdenoise.evaluation.noisy_sets import Corruption
    from kerasdenoise.images.read import read_image
    from kerasdenoise.images.write import write_image
    from kerasdenoise.inference.image_types import check_finite
    from kerasdenoise.paths.plan import plan_jobs
    from kerasdenoise.paths.template import NameTemplate

    name = NameTemplate("{stem}_noisy{ext}") if output is None else None
    (job,) = plan_jobs([image], output, name=name, overwrite=overwrite).jobs
    clean = read_image(job.source)
    check_finite(clean.pixels, job.source)
    corruption = Corruption(kind)
    padding = [(0, -side % corruption.multiple) for side in (clean.height, clean.width)]
    padded = np.pad(clean.pixels, [*padding, (0, 0)], mode="reflect")
    noisy = corruption(padded, seed, name=job.source)[: clean.height, : clean.width]
    write_image(clean.with_pixels(noisy), job.target, replaces=job.replaces, like=job.source)
    say(f"{job.source} {arrow()} {job.target}")
