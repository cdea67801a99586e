"""HEIC files of 8 bits, by the extra `heif`."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.images.decoded import take_array
from kerasdenoise.images.extras import import_extra
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.isobmff import check_boxes, read_boxes
from kerasdenoise.images.pillow_pixels import bare_exif
from kerasdenoise.images.refusal import Reading
from kerasdenoise.images.tags import set_upright

_MODES = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}


def read_heif(data: bytes, reading: Reading) -> Image:
    """Reads a HEIC file; refuses several pictures, more than 8 bits, HDR and gain maps.

    Its own turns and mirrors are carried out by the decoder, which sets the orientation tag
    to match.
    """
    pillow_heif = import_extra("pillow_heif", "heif")
    check_boxes(read_boxes(data), reading)
    pictures = pillow_heif.open_heif(data)
    width, height = pictures.size
    reading.check_size(width, height, len(data), reading.pixel_bytes(4))
    if len(pictures) > 1:
        reading.leave_out(
            f"holds {len(pictures)} pictures, of which only the first would be left",
            "save the picture you want as a file of its own",
        )
    picture = pictures[pictures.primary_index]
    mode = picture.mode
    if mode not in _MODES:
        raise ValueError(f"colors of mode {mode}")
    decoded = np.asarray(picture)
    pixels, alpha = take_array(
        decoded, channels=_MODES[mode], has_alpha=mode.endswith("A"), exact=reading.exact
    )
    info: dict[str, Any] = picture.info
    metadata = Metadata(
        icc=info.get("icc_profile") or None,
        exif=_upright(bare_exif(info.get("exif") or None)),
        xmp=info.get("xmp") or None,
    )
    return Image(pixels, alpha, format="HEIF", metadata=metadata)


def _upright(exif: bytes | None) -> bytes | None:
    try:
        return set_upright(exif) if exif else None
    except (ValueError, struct.error):  # nobody else can follow it either
        return exif


def encode_heif(samples: np.ndarray, image: Image, options: dict[str, object]) -> bytes:
    """Codes samples of 8 bits, with the picture's metadata.

    Args:
        samples: uint8 of shape (height, width) or (height, width, 3 or 4).
        image: Whose metadata it is.
        options: The coder's, such as `quality`.
    """
    pillow_heif = import_extra("pillow_heif", "heif")
    coder = pillow_heif.from_pillow(PillowImage.fromarray(samples))
    stream = io.BytesIO()
    blocks = {"exif": image.metadata.exif, "xmp": image.metadata.xmp}
    if image.metadata.icc:
        coder.info["icc_profile"] = image.metadata.icc
    coder.save(stream, **options, **blocks)
    return stream.getvalue()
