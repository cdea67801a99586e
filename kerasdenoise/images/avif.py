"""AVIF files of 8 bits."""

from __future__ import annotations

from kerasdenoise.images.image import Image
from kerasdenoise.images.isobmff import check_boxes, read_boxes
from kerasdenoise.images.pillow_pixels import decode, metadata_of, open_picture
from kerasdenoise.images.refusal import Reading


def read_avif(data: bytes, reading: Reading) -> Image:
    """Reads an AVIF file; refuses animations, more than 8 bits, HDR and gain maps.

    Its own turns and mirrors become the orientation tag, as Pillow does it; pixels stay.
    """
    check_boxes(read_boxes(data), reading)
    picture = open_picture(data, "AVIF", reading)
    pixels, alpha = decode(picture, reading)
    return Image(pixels, alpha, format="AVIF", metadata=metadata_of(picture))
