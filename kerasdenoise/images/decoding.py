"""From decoders' samples to the pixels of an `Image` and its alpha, and what Pillow decodes."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.images.image import Metadata
from kerasdenoise.images.refusal import Reading, RefusedError
from kerasdenoise.pixels import BAND_PIXELS, to_pixels

# What blocks of metadata are called that any format may have.
BLOCKS = {"exif": "EXIF", "icc": "color profile", "xmp": "XMP"}

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
        reading.notes.append("has a palette: the result is RGB")
        return picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    raise RefusedError(
        f"has {picture.mode} colors, which are not supported yet", "convert it to RGB or gray first"
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


def note_unread(present: Iterable[str], metadata: Metadata, reading: Reading) -> None:
    """Names blocks of metadata that are in a file, but damaged, so that no reader gets them.

    Args:
        present: Fields of `Metadata`: the blocks that the file has.
        metadata: What was read.
        reading: What gets the notes.
    """
    for name in sorted(set(present)):
        if not getattr(metadata, name):
            reading.notes.append(f"has a damaged {BLOCKS[name]}: it is dropped")


def bare_exif(exif: bytes | None) -> bytes | None:
    """Returns an EXIF block without the marker that JPEG puts before it."""
    while exif is not None and exif.startswith(_EXIF_MARKER):
        exif = exif[len(_EXIF_MARKER) :]
    return exif or None


def take_array(
    decoded: np.ndarray,
    *,
    channels: int,
    has_alpha: bool,
    exact: bool,
    transparent: tuple[int, ...] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Does what `take_rows` does with samples that are an array already.

    Args:
        decoded: Shape (height, width, channels and alpha); (height, width) will do for one
            sample. Where nothing is to be done to it, it is what comes back.
        channels: As for `take_rows`.
        has_alpha: As for `take_rows`.
        exact: As for `take_rows`.
        transparent: As for `take_rows`.
    """
    height, width = decoded.shape[:2]
    if exact and not has_alpha and transparent is None:
        native = decoded.dtype.newbyteorder("=")
        samples = decoded.reshape(height, width, channels).astype(native, copy=False)
        return np.ascontiguousarray(samples), None
    return take_rows(
        lambda top, bottom: decoded[top:bottom],
        height,
        width,
        channels=channels,
        dtype=decoded.dtype,
        has_alpha=has_alpha,
        exact=exact,
        transparent=transparent,
    )


def take_rows(
    rows: Callable[[int, int], np.ndarray],
    height: int,
    width: int,
    *,
    channels: int,
    dtype: np.dtype,
    has_alpha: bool,
    exact: bool,
    transparent: tuple[int, ...] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns a picture's pixels, and its alpha channel as it is.

    Args:
        rows: Gives the samples of the rows from one to before another, of shape
            (rows, width, channels and alpha); (rows, width) will do for one sample.
        height: Rows of the picture.
        width: Pixels in a row.
        channels: 1 for gray, 3 for RGB.
        dtype: Of the samples. Floating-point numbers are taken as they are.
        has_alpha: Whether a sample of alpha follows those of color.
        exact: Whether pixels stay of this type, rather than float32 on the scale of [0, 1].
        transparent: A color that alone is transparent, where there is no alpha channel.
    """
    dtype = dtype.newbyteorder("=")
    peak = 1 if dtype.kind == "f" else np.iinfo(dtype).max
    pixels = np.empty((height, width, channels), dtype if exact else np.float32)
    alpha = np.empty((height, width), dtype) if has_alpha or transparent is not None else None
    step = max(1, BAND_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        band = rows(top, bottom).reshape(bottom - top, width, -1)
        colors = band[..., :channels]
        pixels[top:bottom] = colors if exact else to_pixels(colors)
        if alpha is None:
            continue
        if has_alpha:
            alpha[top:bottom] = band[..., channels]
        else:
            alpha[top:bottom] = np.where((colors == transparent).all(axis=-1), 0, peak)
    return pixels, alpha
