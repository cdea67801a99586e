"""`kerasdenoise compare`: two images side by side, with PSNR and SSIM."""

from __future__ import annotations

from pathlib import Path

import click

from kerasdenoise.cli.report import verbose_option
from kerasdenoise.files import check_target
from kerasdenoise.foreign import printable

GAIN = 4
"""Factor by which the difference is amplified."""


@click.command("compare", short_help="Compare two images side by side.")
@click.argument("images", nargs=2, type=click.Path(path_type=Path), metavar="FIRST SECOND")
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="Clean image to measure both against.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the images side by side."
)
@click.option(
    "--difference",
    type=click.Path(path_type=Path),
    help="Write the difference (second - first) x 4; gray means equal.",
)
@click.option("--overwrite", is_flag=True, help="Overwrite existing files.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as a JSON array.")
@verbose_option
def command(
    images: tuple[Path, Path],
    reference: Path | None,
    output: Path | None,
    difference: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compare two images side by side.

    \b
        kerasdenoise compare photo.jpg photo_denoised.jpg -o side_by_side.png

    Prints PSNR in dB and SSIM of the second image against the first, or of both against the
    --reference. Images are shown upright.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    import numpy as np

    from kerasdenoise.errors import InputError, UsageError
    from kerasdenoise.images.orientation import as_picture, orientation, side_by_side, turn
    from kerasdenoise.images.read import read_image
    from kerasdenoise.images.write import write_image
    from kerasdenoise.metrics import WINDOW, psnr, ssim
    from kerasdenoise.paths.identity import identity
    from kerasdenoise.plain_json import to_json

    files = [*images, *([reference] if reference else [])]
    if output and difference and identity(output) == identity(difference):
        raise UsageError(output, "is both --output and --difference", "change one of them")
    replaced = {}
    for target in filter(None, (output, difference)):
        replaced[target] = check_target(target, overwrite=overwrite)
        if identity(target) in map(identity, files):
            raise UsageError(target, "is also an input", "choose another name")
    read = [read_image(file) for file in files]
    upright = [turn(image.pixels, orientation(image)) for image in read]
    for file, pixels in zip(files, upright, strict=True):
        if pixels.shape != upright[0].shape:
            size, expected = (f"{w}x{h}x{c}" for h, w, c in (pixels.shape, upright[0].shape))
            raise InputError(
                file, f"is {size}, but {files[0].name} is {expected}", "make both the same size"
            )
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
        write_image(side_by_side(read), output, replaces=replaced[output])
    if difference:
        change = (upright[1] - upright[0]) * np.float32(GAIN) + np.float32(0.5)
        write_image(as_picture(change, read[0]), difference, replaces=replaced[difference])
    if as_json:
        click.echo(to_json(rows))
        return
    for row in rows:
        similarity = f"  SSIM {row['ssim']:.4f}" if "ssim" in row else ""
        click.echo(f"{printable(row['picture'])}: {row['psnr']:.2f} dB{similarity}")
