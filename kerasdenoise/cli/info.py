"""`kerasdenoise info`: format, camera and estimated noise of photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasdenoise.cli.report import Report, print_error, verbose_option
from kerasdenoise.foreign import printable

if TYPE_CHECKING:
    from kerasdenoise.images.image import Image

# How a viewer shows the stored pixels.
_TURNS = {
    1: "as it is",
    2: "mirrored",
    3: "rotated 180°",
    4: "mirrored and rotated 180°",
    5: "mirrored and rotated left",
    6: "rotated right",
    7: "mirrored and rotated right",
    8: "rotated left",
}


@click.command("info", short_help="Show format, camera and estimated noise.")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead.")
@verbose_option
@click.pass_context
def command(ctx: click.Context, photos: tuple[Path, ...], as_json: bool) -> None:
    """Show format, camera and estimated noise.

    \b
        kerasdenoise info photo.jpg

    Edginess is the total variation per pixel: how much neighboring pixels differ, on the [0, 1]
    scale. The noise level is the estimated standard deviation of the noise, on the 0-255 scale;
    in JSON it is sigma, on the [0, 1] scale. Fine texture all over a photo is mistaken for noise.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    from kerasdenoise.errors import KerasDenoiseError
    from kerasdenoise.images.read import read_image
    from kerasdenoise.plain_json import to_json

    rows = []
    failed = False
    for photo in photos:
        try:
            row = {"file": str(photo), **_describe(read_image(photo))}
        except KerasDenoiseError as error:
            ctx.ensure_object(Report).traceback(error)
            print_error(error)
            failed = True
            continue
        rows.append(row)
        if not as_json:
            click.echo(_text(row))
    if as_json:
        click.echo(to_json(rows, indent=2))
    ctx.exit(1 if failed else 0)


def _describe(image: Image) -> dict[str, Any]:
    """Lists the properties of an image; None for those it lacks."""
    from kerasdenoise.images.camera import read_shot
    from kerasdenoise.inference.noise_estimate import BLOCK, edginess, estimate_sigma

    large = min(image.width, image.height) >= BLOCK
    return {
        "width": image.width,
        "height": image.height,
        "channels": image.pixels.shape[2],
        "bit_depth": image.bit_depth,
        "format": image.format,
        "lossless": image.lossless,
        "alpha": image.alpha is not None,
        "icc": image.metadata.icc is not None,
        **read_shot(image)._asdict(),
        "edginess": edginess(image.pixels),
        "sigma": estimate_sigma(image.pixels) if large else None,
    }


def _text(row: dict[str, Any]) -> str:
    """Formats the properties of an image as lines of text."""
    from kerasdenoise.images.formats import FORMATS

    colors = "gray" if row["channels"] == 1 else "RGB"
    coded = ", lossless" if row["lossless"] else ""
    turn = row["orientation"]
    sigma = row["sigma"]
    facts = {
        "size": f"{row['width']} x {row['height']} pixels, {colors}, {row['bit_depth']} bits",
        "format": f"{FORMATS[row['format']].title}{coded}",
        "orientation": turn and f"{turn}, shown {_TURNS[turn]}",
        "alpha": row["alpha"] and "yes",
        "ICC profile": row["icc"] and "yes",
        "camera": row["camera"],
        "ISO": row["iso"],
        "edginess": f"{row['edginess']:.4f}",
        "noise level": "unknown (photo too small)" if sigma is None else f"{255 * sigma:.1f}/255",
    }
    lines = [f"  {name:11}  {printable(value)}" for name, value in facts.items() if value]
    return "\n".join([printable(row["file"]), *lines])
