"""Small picture files of every format, made in code, with all the metadata that each carries."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import tifffile
from PIL import Image as PillowImage
from PIL import ImageCms

from kerasdenoise.images import FORMATS, Image, Metadata, encode_image
from kerasdenoise.images.image import sample_type
from kerasdenoise.images.photoshop import resources_of
from kerasdenoise.images.tags import EXIF, GPS, ORIENTATION, Tag, pack_block

HEIGHT, WIDTH = 37, 53


def make_exif() -> bytes:
    """Makes an EXIF block with an orientation, an exposure and a place."""
    exposure = {0x829A: Tag(5, 1, b"\x00\x00\x00\x01\x00\x00\x00\xfa")}
    place = {1: Tag(2, 2, b"N\x00"), 2: Tag(5, 3, bytes(range(24)))}
    return pack_block(
        {
            ORIENTATION: Tag(3, 1, b"\x00\x06"),
            0x010F: Tag(2, 6, b"Maker\x00"),
            EXIF: Tag(4, 1, b"", exposure),
            GPS: Tag(4, 1, b"", place),
        },
        ">",
    )


def make_metadata() -> Metadata:
    """Makes one of everything that a picture file can carry."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return Metadata(
        icc=profile,
        exif=make_exif(),
        xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a exif:GPSLatitude="1,2N"/></x:xmpmeta>',
        photoshop=resources_of(b"\x1c\x02\x05\x00\x05title"),
        comments=(b"a comment",),
        color=((b"gAMA", b"\x00\x00\xb1\x8f"),),
        texts=((b"tEXt", b"Author\x00somebody"),),
        dpi=(300.0, 240.0),
    )


def make_picture(channels: int, bit_depth: int, *, alpha: bool) -> Image:
    """Makes a smooth picture with some noise."""
    rng = np.random.default_rng(channels)
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    ramp = np.stack([down / HEIGHT, across / WIDTH, (down + across) / 100], axis=-1)
    pixels = (0.1 + 0.7 * ramp[..., :channels] + 0.05 * rng.random((HEIGHT, WIDTH, channels))).clip(
        0, 1
    )
    dtype = sample_type(bit_depth)
    peak = 1 if dtype.kind == "f" else np.iinfo(dtype).max
    mask = (rng.random((HEIGHT, WIDTH)) * peak).astype(dtype)
    if dtype.kind == "u":
        pixels = np.rint(pixels * peak).astype(np.float32) / np.float32(peak)
    return Image(
        pixels.astype(np.float32),
        mask if alpha else None,
        bit_depth=bit_depth,
        metadata=make_metadata(),
        lossless=True,
    )


def make_files(name: str) -> Iterator[bytes]:
    """Yields files of a format: gray and color, of each depth, with and without alpha.

    Args:
        name: A key of `FORMATS`.
    """
    row = FORMATS[name]
    if row.written_as:
        yield make_raw()
        return
    for bit_depth in row.bit_depths:
        for channels, alpha in ((3, False), (1, False), (3, True)):
            if alpha and not row.alpha:
                continue
            picture = make_picture(channels, bit_depth, alpha=alpha)
            yield encode_image(replace(picture, format=name))
    picture = make_picture(3, 8, alpha=False)
    if name == "TIFF":
        for compression in (None, "lzw", "packbits"):
            coding = {"compression": compression, "predictor": compression == "lzw"}
            yield encode_image(replace(picture, format=name, coding=coding))
    elif name == "WEBP":
        yield encode_image(replace(picture, format=name, lossless=False))
    elif name in ("PNG", "JPEG", "BMP"):
        yield _by_pillow(picture, name)


def _by_pillow(picture: Image, name: str) -> bytes:
    """Codes in another way: a palette, a progressive JPEG."""
    content = io.BytesIO(encode_image(replace(picture, format="PNG")))
    rgb = PillowImage.open(content)
    stream = io.BytesIO()
    if name == "JPEG":
        rgb.save(stream, name, progressive=True, quality=80)
    else:
        rgb.quantize(16).save(stream, name)
    return stream.getvalue()


def make_raw() -> bytes:
    """Makes a DNG file: a Bayer mosaic of 16 bits, with what a developer must know of it."""
    mosaic = np.random.default_rng(0).integers(2000, 60000, (64, 96)).astype(np.uint16)
    matrix = np.array([[1, 1], [0, 1], [0, 1], [0, 1], [1, 1], [0, 1], [0, 1], [0, 1], [1, 1]])
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        mosaic,
        photometric=32803,
        metadata=None,
        software=False,
        extratags=[
            (271, 2, 0, "Maker", True),
            (272, 2, 0, "Model", True),
            (274, 3, 1, 1, True),
            (33421, 3, 2, (2, 2), True),
            (33422, 1, 4, bytes((0, 1, 1, 2)), True),
            (50706, 1, 4, bytes((1, 4, 0, 0)), True),
            (50707, 1, 4, bytes((1, 1, 0, 0)), True),
            (50708, 2, 0, "Maker Model", True),
            (50717, 4, 1, 65535, True),
            (50721, 10, 9, matrix.ravel().tolist(), True),
            (50728, 5, 3, (1, 1, 1, 1, 1, 1), True),
            (50778, 3, 1, 21, True),
        ],
    )
    return stream.getvalue()
