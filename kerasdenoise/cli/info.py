"""`kerasdenoise info`: what a photo is, and how noisy it looks."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasdenoise.cli.report import Report, print_error, verbose_option
from kerasdenoise.foreign import printable

if TYPE_CHECKING:
    from kerasdenoise.images.image import Image

# Tags of EXIF; the second two are of its own directory within the file's.
_MAKE, _MODEL, _ORIENTATION = 0x010F, 0x0110, 0x0112
_DIRECTORY, _ISO = 0x8769, 0x8827

# What a viewer does to the pixels.
_TURNS = {
    1: "as it is",
    2: "mirrored",
    3: "turned upside down",
    4: "mirrored and turned upside down",
    5: "mirrored and turned left",
    6: "turned right",
    7: "mirrored and turned right",
    8: "turned left",
}


@click.command("info", short_help="Say what photos are, and how noisy they look.")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead.")
@verbose_option
@click.pass_context
def command(ctx: click.Context, photos: tuple[Path, ...], as_json: bool) -> None:
    """Say what photos are, and how noisy they look.

    Edginess is how much neighboring pixels differ, per pixel on the scale of [0, 1]. The noise
    level is an estimate of the noise's standard deviation, on the scale of 0-255; as sigma in
    the JSON array it is on that of [0, 1]. Fine texture all over a photo is taken for noise.
    """
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
    """Lists what is known of a picture; None for what it does not have or say."""
    from kerasdenoise.images.measures import BLOCK, edginess, estimate_sigma

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
        **_read_exif(image.metadata.exif),
        "edginess": edginess(image.pixels),
        "sigma": estimate_sigma(image.pixels) if large else None,
    }


def _read_exif(block: bytes | None) -> dict[str, Any]:
    """Reads the orientation, the camera and its sensitivity, as far as they can be read."""
    from PIL import Image as PillowImage

    exif = PillowImage.Exif()
    try:
        with warnings.catch_warnings(action="ignore"):
            exif.load(block or b"")
            orientation, iso = exif.get(_ORIENTATION), exif.get_ifd(_DIRECTORY).get(_ISO)
            make, model = (str(exif.get(tag, "")).strip(" \0") for tag in (_MAKE, _MODEL))
    except Exception:  # a block that nobody can follow travels all the same
        return {"orientation": None, "camera": None, "iso": None}
    iso = iso[0] if isinstance(iso, tuple) and iso else iso
    # Many makers repeat their name in the model's.
    brand = make.partition(" ")[0].lower()
    camera = model if model.lower().startswith(brand) else f"{make} {model}"
    return {
        "orientation": orientation if orientation in _TURNS else None,
        "camera": camera.strip() or None,
        "iso": iso if isinstance(iso, int) else None,
    }


def _text(row: dict[str, Any]) -> str:
    """Writes what is known of a picture as lines for people."""
    from kerasdenoise.images.formats import FORMATS

    colors = "gray" if row["channels"] == 1 else "RGB"
    coded = ", without loss" if row["lossless"] else ""
    turn = row["orientation"]
    sigma = row["sigma"]
    facts = {
        "size": f"{row['width']} x {row['height']} pixels, {colors}, {row['bit_depth']} bits",
        "format": f"{FORMATS[row['format']].title}{coded}",
        "orientation": turn and f"{turn}, to be shown {_TURNS[turn]}",
        "alpha": row["alpha"] and "yes",
        "ICC profile": row["icc"] and "yes",
        "camera": row["camera"],
        "ISO": row["iso"],
        "edginess": f"{row['edginess']:.4f}",
        "noise level": "the photo is too small" if sigma is None else f"{255 * sigma:.1f}/255",
    }
    lines = [f"  {name:11}  {printable(value)}" for name, value in facts.items() if value]
    return "\n".join([printable(row["file"]), *lines])
