"""`kerasdenoise compare`: two pictures, or three, beside each other."""

from __future__ import annotations

from pathlib import Path

import click

from kerasdenoise.cli.report import verbose_option
from kerasdenoise.cli.target import check_target

GAIN = 4
"""How much stronger than it is a difference is shown."""


@click.command("compare", short_help="Put pictures side by side and measure them.")
@click.argument("pictures", nargs=2, type=click.Path(path_type=Path))
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="The clean picture, to measure both against.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Picture to write, side by side."
)
@click.option(
    "--difference",
    type=click.Path(path_type=Path),
    help="Picture to write of the second less the first, four times as strong, gray where they "
    "are alike.",
)
@click.option("--overwrite", is_flag=True, help="Replace pictures that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as a JSON array.")
@verbose_option
def command(
    pictures: tuple[Path, Path],
    reference: Path | None,
    output: Path | None,
    difference: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Put pictures side by side and measure them.

    Prints PSNR in dB and SSIM: of each picture against the reference, or of the second
    against the first. Pictures are turned as they are to be looked at.
    """
    import numpy as np

    from kerasdenoise.cli.side_by_side import as_picture, side_by_side
    from kerasdenoise.errors import InputError, UsageError
    from kerasdenoise.images.orientation import orientation, turn
    from kerasdenoise.images.paths import identity
    from kerasdenoise.images.read import read_image
    from kerasdenoise.images.write import write_image
    from kerasdenoise.metrics import WINDOW, psnr, ssim
    from kerasdenoise.plain_json import to_json

    files = [*pictures, *([reference] if reference else [])]
    if output and difference and identity(output) == identity(difference):
        raise UsageError(output, "is given for two pictures", "give another name for one of them")
    for target in filter(None, (output, difference)):
        check_target(target, overwrite=overwrite)
        if identity(target) in map(identity, files):
            raise UsageError(target, "is also an input", "give another name")
    images = [read_image(file) for file in files]
    upright = [turn(image.pixels, orientation(image)) for image in images]
    for file, pixels in zip(files, upright, strict=True):
        if pixels.shape != upright[0].shape:
            size, expected = (f"{w}x{h}x{c}" for h, w, c in (pixels.shape, upright[0].shape))
            raise InputError(file, f"is {size}, {files[0].name} is {expected}", "make them alike")
    clean = upright[-1] if reference else upright[0]
    rows = []
    for file, pixels in zip(files, upright, strict=True):
        if pixels is clean:
            continue
        row: dict[str, object] = {"picture": str(file), "psnr": psnr(clean, pixels)}
        if min(pixels.shape[:2]) >= WINDOW:
            row["ssim"] = ssim(clean, pixels)
        rows.append(row)
    if output:
        write_image(side_by_side(images), output, overwrite=overwrite)
    if difference:
        change = (upright[1] - upright[0]) * np.float32(GAIN) + np.float32(0.5)
        write_image(as_picture(change, images[0]), difference, overwrite=overwrite)
    if as_json:
        click.echo(to_json(rows))
        return
    for row in rows:
        similarity = f"  SSIM {row['ssim']:.4f}" if "ssim" in row else ""
        click.echo(f"{row['picture']}: {row['psnr']:.2f} dB{similarity}")
