"""What Pillow decodes: pixels of 8 bits and, for formats that it knows well, their metadata."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.images.decoded import take_rows
from kerasdenoise.images.image import Metadata
from kerasdenoise.images.refusal import Reading, RefusedError

_EXIF_MARKER = b"Exif\x00\x00"
_PILLOW_LIMIT = threading.Lock()


def open_picture(data: bytes, name: str, reading: Reading) -> PillowImage.Image:
    """Opens a picture without decoding it; refuses animations and what is too large.

    Args:
        data: The file's content.
        name: Pillow's name of the format.
        reading: How the file is to be read.
    """
    with _no_pillow_limit():
        picture = PillowImage.open(io.BytesIO(data), formats=[name])
    samples = 4 if picture.mode == "P" else len(picture.getbands())
    reading.check_size(*picture.size, len(data), reading.pixel_bytes(samples))
    # A JPEG's further pictures are told apart by its own reader.
    if name != "JPEG" and getattr(picture, "n_frames", 1) > 1:
        reading.leave_out(
            "is an animation, of which only the first picture would be left",
            "save the picture you want as a file of its own",
        )
    return picture


@contextlib.contextmanager
def _no_pillow_limit() -> Iterator[None]:
    """Lifts Pillow's limit, which is below 200 megapixels, while a header is read.

    Pillow knows it only as a global, so other users of Pillow in this process get it back
    at once; `Reading.check_size` stands in for it. Warnings about odd EXIF are of no use here: the
    block is copied as it is.
    """
    with _PILLOW_LIMIT, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = PillowImage.MAX_IMAGE_PIXELS
        PillowImage.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            PillowImage.MAX_IMAGE_PIXELS = saved


def decode(
    picture: PillowImage.Image, reading: Reading, transparent: tuple[int, ...] | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns a picture's pixels, and its alpha channel as it is.

    Args:
        picture: What `open_picture` returned.
        reading: What type pixels are of; notes that a palette is expanded.
        transparent: The one color, on the 8-bit scale, that is transparent.
    """
    picture.load()
    picture = _expand(picture, reading)
    width, height = picture.size
    return take_rows(
        lambda top, bottom: np.asarray(picture.crop((0, top, width, bottom))),
        height,
        width,
        channels=1 if picture.mode in ("L", "LA") else 3,
        dtype=np.dtype(np.uint8),
        has_alpha=picture.mode in ("LA", "RGBA"),
        exact=reading.exact,
        transparent=transparent,
    )


def _expand(picture: PillowImage.Image, reading: Reading) -> PillowImage.Image:
    """Brings a decoded picture to one of the modes L, LA, RGB, RGBA."""
    if picture.mode in ("L", "LA", "RGB", "RGBA"):
        return picture
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode == "P":
        reading.notes.append("has a palette: its colors come back as RGB")
        return picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    raise RefusedError(
        f"has {picture.mode} colors, which cannot be kept yet", "convert it to RGB or gray first"
    )


def metadata_of(picture: PillowImage.Image) -> Metadata:
    """Returns the blocks that Pillow hands over as they stand in the file, and the resolution."""

    def block(key: str) -> bytes | None:
        value = picture.info.get(key)
        return value if isinstance(value, bytes) and value else None

    dpi = picture.info.get("dpi")
    return Metadata(
        icc=block("icc_profile"),
        exif=bare_exif(block("exif")),
        xmp=block("xmp"),
        dpi=(float(dpi[0]), float(dpi[1])) if isinstance(dpi, tuple) else None,
    )


def bare_exif(exif: bytes | None) -> bytes | None:
    """Returns an EXIF block without the marker that JPEG puts before it."""
    while exif is not None and exif.startswith(_EXIF_MARKER):
        exif = exif[len(_EXIF_MARKER) :]
    return exif or None
