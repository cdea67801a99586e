"""What EXIF says of the camera and how it was held."""

from __future__ import annotations

import warnings
from typing import NamedTuple

from PIL import Image as PillowImage

from kerasdenoise.images.image import Image

# EXIF tags; the last two belong to the EXIF directory inside the main one.
_MAKE, _MODEL, _ORIENTATION = 0x010F, 0x0110, 0x0112
_DIRECTORY, _ISO = 0x8769, 0x8827


class Shot(NamedTuple):
    """Facts about a shot, as far as its file has them.

    Attributes:
        orientation: How a viewer turns the stored pixels, 1 to 8.
        camera: Make and model.
        iso: The ISO speed.
    """

    orientation: int | None = None
    camera: str | None = None
    iso: int | None = None


def read_shot(image: Image) -> Shot:
    """Reads orientation, camera and ISO from an image's EXIF block, as far as possible."""
    exif = PillowImage.Exif()
    try:
        with warnings.catch_warnings(action="ignore"):
            exif.load(image.metadata.exif or b"")
            orientation, iso = exif.get(_ORIENTATION), exif.get_ifd(_DIRECTORY).get(_ISO)
            make, model = (str(exif.get(tag, "")).strip(" \0") for tag in (_MAKE, _MODEL))
    except Exception:  # an unreadable block is still kept in the result
        return Shot()
    iso = iso[0] if isinstance(iso, tuple) and iso else iso
    # Many makers repeat their name in the model name.
    brand = make.partition(" ")[0].lower()
    camera = model if model.lower().startswith(brand) else f"{make} {model}"
    return Shot(
        orientation if orientation in range(1, 9) else None,
        camera.strip() or None,
        iso if isinstance(iso, int) else None,
    )
