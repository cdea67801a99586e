"""Camera raw, developed to 16 bits by the extra `raw`."""

from __future__ import annotations

import io
import struct

from kerasdenoise.images.decoding import take_array
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError, import_extra
from kerasdenoise.images.tags import byte_order, directories
from kerasdenoise.images.tiff import exif_of_tags
from kerasdenoise.runtime import sift_stderr

# What LibRaw says of data that are missing or wrong.
_DAMAGE = (b"Unexpected end of file", b"data corrupted at")


def read_raw(data: bytes, reading: Reading) -> Image:
    """Develops a camera's raw file to 16-bit RGB, to be written as TIFF.

    Demosaicing is LibRaw's usual one, with the camera's white balance, sRGB's colors and tone
    curve, and no brightening by the picture's content. Pixels are upright, unlike those of
    other formats: the orientation tag is dropped. Demosaiced noise differs from the noise of
    photos that a camera developed: it is stronger, and no JPEG has smoothed it.

    Args:
        data: The file's content.
        reading: Whether each 2 x 2 cells become one pixel.
    """
    rawpy = import_extra("rawpy", "raw")
    with sift_stderr(*_DAMAGE) as complaints, rawpy.imread(io.BytesIO(data)) as raw:
        reading.check_size(raw.sizes.width, raw.sizes.height, len(data), reading.pixel_bytes(3, 16))
        developed = raw.postprocess(
            output_bps=16,
            use_camera_wb=True,
            no_auto_bright=True,
            half_size=reading.half_size,
            output_color=rawpy.ColorSpace.sRGB,
            gamma=(2.4, 12.92),
        )
    # LibRaw fills what is missing, and says so nowhere else.
    if complaints:
        raise RefusedError("is truncated or damaged", COPY_AGAIN)
    pixels, _ = take_array(developed, channels=3, has_alpha=False, exact=reading.exact)
    try:
        exif = exif_of_tags(next(directories(data), {}), byte_order(data), upright=True)
    except (ValueError, struct.error):  # makers' own containers
        exif = None
        reading.notes.append("is raw in a container whose EXIF cannot be read: it is dropped")
    reading.notes.append("is camera raw: it was developed")
    return Image(pixels, bit_depth=16, format="TIFF", metadata=Metadata(exif=exif), lossless=True)
