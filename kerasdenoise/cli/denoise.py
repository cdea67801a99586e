"""`kerasdenoise denoise`: photos in, clean photos out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from kerasdenoise.cli.report import verbose_option


class TileType(click.ParamType):
    """The edge of a tile in pixels, or `auto`."""

    name = "tile"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | Literal["auto"]:
        """Reads the option's text."""
        if value == "auto":
            return "auto"
        try:
            return max(int(value), 0)
        except ValueError:
            self.fail(f"{value!r} is neither auto nor a number of pixels", param, ctx)


class SigmaType(click.ParamType):
    """The level of the noise, of 0-255, or `auto`, which is None."""

    name = "sigma"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """Reads the option's text."""
        if value == "auto":
            return None
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither auto nor a number", param, ctx)


@click.command("denoise", short_help="Remove the noise from photos.")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(),  # not a Path, which would drop a / at the end
    help="File to write, or folder if it ends in / or there are several inputs.  "
    "[default: photo_denoised.jpg beside photo.jpg]",
)
@click.option("-m", "--model", help="Saved model, by name or by the path of its folder.")
@click.option(
    "-s",
    "--strength",
    type=float,
    default=1.0,
    show_default=True,
    help="How much of the noise to remove, from 0 to 1; up to 2 for more than the model finds, "
    "if it goes by a noise level.",
)
@click.option(
    "--sigma",
    type=SigmaType(),
    default="auto",
    show_default=True,
    metavar="auto|N",
    help="Standard deviation of the noise, of 0-255, for a model that goes by a noise level; "
    "auto estimates it from each photo.",
)
@click.option(
    "--tile",
    type=TileType(),
    default="auto",
    show_default=True,
    metavar="auto|N",
    help="Largest edge of a tile in pixels; less takes less memory, never another result.",
)
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="Threads.  [default: all cores]"
)
@click.option("--overwrite", is_flag=True, help="Replace results that are there.")
@click.option("--skip-existing", is_flag=True, help="Skip photos whose result is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per photo.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@verbose_option
@click.pass_context
def command(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    output: str | None,
    model: str | None,
    strength: float,
    sigma: float | None,
    tile: int | Literal["auto"],
    threads: int | None,
    overwrite: bool,
    skip_existing: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Remove the noise from photos.

    The result of photo.jpg is photo_denoised.jpg, beside it. Size, orientation, bit depth,
    transparency, color profile and the camera's data stay as they are.
    """
    from kerasdenoise.cli.batch import Batch
    from kerasdenoise.cli.report import Report
    from kerasdenoise.images.plan import plan_jobs
    from kerasdenoise.inference.blend import check_strength
    from kerasdenoise.inference.denoiser import Denoiser

    plan = plan_jobs(inputs, output, overwrite=overwrite, skip_existing=skip_existing)
    sigma = None if sigma is None else sigma / 255
    denoiser = Denoiser(model, threads=threads, tile=tile, sigma=sigma)
    check_strength(strength, denoiser.info)
    batch = Batch(
        denoiser,
        strength=strength,
        overwrite=overwrite,
        as_json=as_json,
        quiet=quiet,
        report=ctx.ensure_object(Report),
    )
    ctx.exit(batch.run(plan))
