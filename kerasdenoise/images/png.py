"""PNG files of 8 and 16 bits: their chunks, and chunks for new files."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.images.decoding import bare_exif, decode, note_unread, open_picture, take_array
from kerasdenoise.images.image import Image, Metadata, Resolution
from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError
from kerasdenoise.runtime import sift_stderr

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Compressed bytes are inflated in pieces of this size, so that a bomb stays small.
_PIECE = 2**14
# From so many pixels on Pillow is passed by, of which a picture takes four bytes a pixel more.
_MANY_PIXELS = 64_000_000
_PIXELS = (b"IHDR", b"IDAT", b"IEND")
_PALETTE = (b"PLTE", b"tRNS")
_COLOR = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
_KNOWN = (*_PIXELS, *_PALETTE, *_COLOR, b"iCCP", b"eXIf", b"pHYs")
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
# What a change of pixels leaves true, though its name does not say so: PNG 3 says when a picture
# was changed, where it lies on a page, and how large things in it are.
_STILL_TRUE = (b"tIME", b"oFFs", b"sCAL", b"pCAL")
_INCH = 0.0254

_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_XMP_KEYWORD = b"XML:com.adobe.xmp"
# ImageMagick's and ExifTool's, of which the rest of the keyword is no proof of what is in it.
_RAW_PROFILE = b"Raw profile type "
_XMP_MARKER = b"http://ns.adobe.com/xap/1.0/\x00"
_XMP_STARTS = (b"<?xpacket", b"<x:xmpmeta", b"<rdf:RDF")
_TIFF_STARTS = (b"II*\x00", b"MM\x00*")

_Chunk = tuple[bytes, memoryview]


def read_png(data: bytes, reading: Reading) -> Image:
    """Reads a PNG file; refuses animations, and pixel data that stops early."""
    chunks = list(_chunks(data))
    if chunks[0][0] != b"IHDR":
        raise _damaged()
    width, height, bits, color, *methods, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    if any(methods):  # compression and filtering, of which the standard knows one each
        raise _damaged()
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color, 1)
    colors = 4 if color == 3 else samples
    reading.check_size(width, height, len(data), reading.pixel_bytes(colors, bits))
    _check_pixels(
        (body for kind, body in chunks if kind == b"IDAT"),
        _inflated_size(width, height, bits * samples, interlaced=bool(interlace)),
    )
    if _frames(chunks) > 1:
        reading.leave_out(
            "is an animation, of which only the first picture would be left",
            "save the picture you want as a file of its own",
        )
    reading.note_behind(memoryview(data)[8 + sum(12 + len(body) for _, body in chunks) :])
    if color != 3:  # then a palette only proposes colors for old displays
        reading.note_lost("chunks", [kind for kind, _ in chunks if kind == b"PLTE"])
    transparent = _transparent(chunks, color, samples, bits)
    # Decoders get pixels alone: they would apply some other chunks, and stumble over others.
    wanted = _PIXELS + (_PALETTE if color == 3 else ())
    bare = _assemble(chunk for chunk in chunks if chunk[0] in wanted)
    if bits == 16 or (bits == 8 and color != 3 and width * height > _MANY_PIXELS):
        # Pillow halves 16 bits of color without a word.
        with sift_stderr(b"libpng", b"PNG warning"):  # which has warnings, for programmers
            decoded = _decode_by_libpng(bare, samples, bits)
        pixels, alpha = take_array(
            decoded,
            channels=1 if samples < 3 else 3,
            has_alpha=samples in (2, 4),
            exact=reading.exact,
            transparent=transparent,
        )
    else:
        pixels, alpha = decode(open_picture(bare, "PNG", reading), reading, transparent)
    return Image(
        pixels,
        alpha,
        bit_depth=16 if bits == 16 else 8,
        format="PNG",
        metadata=_metadata(chunks, reading),
        lossless=True,
    )


def _damaged() -> RefusedError:
    return RefusedError("is a damaged PNG file", COPY_AGAIN)


def _chunks(data: bytes) -> Iterator[_Chunk]:
    view = memoryview(data)
    at = 8
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            raise RefusedError("is truncated", COPY_AGAIN)
        (checksum,) = struct.unpack_from(">I", data, end)
        # Chunks that one may pass over have a small letter; so have those of metadata.
        if kind[0] < ord("a") and zlib.crc32(view[at + 4 : end]) != checksum:
            raise _damaged()
        yield kind, view[at + 8 : end]
        at = end + 4


def _inflated_size(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Returns how many bytes the pixel data of a PNG holds once it is inflated."""
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
    size = 0
    for left, top, across, down in passes:
        columns = max(0, -(-(width - left) // across))
        rows = max(0, -(-(height - top) // down))
        if columns:
            size += rows * (1 + (columns * bits + 7) // 8)
    return size


def _check_pixels(blocks: Iterator[memoryview], expected: int) -> None:
    """Inflates pixel data to see that all of it is there and that its checksum is right.

    Pillow checks neither: it leaves what is missing black. What follows, decoders pass over.
    """
    stream = zlib.decompressobj()
    size = 0
    try:
        for block in blocks:
            for start in range(0, len(block), _PIECE):
                size += len(stream.decompress(block[start : start + _PIECE]))
                if size > expected:
                    return
        size += len(stream.flush())
    except zlib.error as error:
        raise _damaged() from error
    if size < expected or not stream.eof:
        raise RefusedError("is truncated", COPY_AGAIN)


def _transparent(
    chunks: list[_Chunk], color: int, samples: int, bits: int
) -> tuple[int, ...] | None:
    """Returns the one color that is transparent, on the scale of 8 or 16 bits, or None."""
    key = next((body for kind, body in chunks if kind == b"tRNS"), None)
    if key is None or color not in (0, 2):
        return None
    scale = 1 if bits == 16 else 255 // (2**bits - 1)
    return tuple(value * scale for value in struct.unpack_from(f">{samples}H", key))


def _frames(chunks: list[_Chunk]) -> int:
    """Returns how many pictures there are, one for the pixels that are no part of an animation."""
    kinds = [kind for kind, _ in chunks]
    if b"acTL" not in kinds or b"IDAT" not in kinds:
        return 1
    (frames,) = struct.unpack_from(">I", chunks[kinds.index(b"acTL")][1])
    return frames + (b"fcTL" not in kinds[: kinds.index(b"IDAT")])


def _decode_by_libpng(bare: bytes, samples: int, bits: int) -> np.ndarray:
    import imagecodecs

    decoded = imagecodecs.png_decode(bare)
    height, width = decoded.shape[:2]
    if decoded.itemsize * 8 != bits or decoded.size != height * width * samples:
        raise _damaged()
    return decoded


def _metadata(chunks: list[_Chunk], reading: Reading) -> Metadata:
    first: dict[bytes, bytes] = {}
    texts: list[tuple[bytes, bytes]] = []
    lost: list[bytes] = []
    for kind, view in chunks:
        if kind in _TEXT_CHUNKS:
            texts.append((kind, bytes(view)))
        elif kind in _KNOWN:
            first.setdefault(kind, bytes(view))
        elif kind[3] >= ord("a") or kind in _STILL_TRUE:
            texts.append((kind, bytes(view)))
        elif kind not in _ANIMATION:
            lost.append(kind)
    reading.note_lost("chunks", lost)
    dpi, density = _resolution(first.get(b"pHYs"), reading)
    blocks = _sort_texts(texts, reading.inflate)
    metadata = Metadata(
        icc=_profile(first.get(b"iCCP"), reading),
        exif=bare_exif(first.get(b"eXIf")) or blocks.exif,
        xmp=blocks.xmp,
        color=tuple((kind, first[kind]) for kind in _COLOR if kind in first),
        texts=blocks.texts,
        density=density,
        dpi=dpi,
    )
    is_xmp = [body.startswith(_XMP_KEYWORD + b"\0") for _, body in texts]
    note_unread(["xmp"] if any(is_xmp) else [], metadata, reading)
    return metadata


def _resolution(body: bytes | None, reading: Reading) -> tuple[Resolution, Resolution]:
    """Returns dots per inch, and the density where the unit is not known."""
    if body is None:
        return None, None
    across, down, unit = struct.unpack(">IIB", body) if len(body) == 9 else (0, 0, 0)
    if not across or not down:
        reading.notes.append("has a damaged resolution: it is dropped")
        return None, None
    if unit != 1 and across == down == 1:
        return None, None
    if unit == 1:
        return (across * _INCH, down * _INCH), None
    return None, (float(across), float(down))


def _profile(body: bytes | None, reading: Reading) -> bytes | None:
    """Returns a color profile; one that is damaged is none for any reader."""
    if body is None:
        return None
    try:
        return reading.inflate(body.partition(b"\x00")[2][1:]) or None
    except ValueError:
        reading.notes.append("has a damaged color profile: it is dropped")
        return None


class _Blocks(NamedTuple):
    """What text chunks hold, each as the bytes that other formats have."""

    exif: bytes | None
    xmp: bytes | None
    texts: tuple[tuple[bytes, bytes], ...]


def _sort_texts(chunks: list[tuple[bytes, bytes]], inflate: Callable[[bytes], bytes]) -> _Blocks:
    """Tells EXIF and XMP from texts.

    Args:
        chunks: Text chunks as names and contents.
        inflate: Callable[[bytes], bytes]s a block, or raises a ValueError; see `Reading.inflate`.

    Returns:
        The blocks, and all chunks that hold neither. XMP under its own keyword goes before XMP in
        a raw profile.
    """
    exif = xmp = profile_xmp = None
    texts = []
    for kind, body in chunks:
        keyword = body.partition(b"\x00")[0]
        if keyword == _XMP_KEYWORD:
            xmp = read_text(kind, body, inflate) or xmp
            continue
        # Other texts stay packed, as they may be bombs.
        profile = (keyword.startswith(_RAW_PROFILE) and read_text(kind, body, inflate)) or b""
        if profile.startswith((_XMP_MARKER, *_XMP_STARTS)):
            profile_xmp = profile.removeprefix(_XMP_MARKER)
        elif (bare_exif(profile) or b"").startswith(_TIFF_STARTS):
            exif = bare_exif(profile)
        else:
            texts.append((kind, body))
    return _Blocks(exif, xmp or profile_xmp, tuple(texts))


def read_text(kind: bytes, body: bytes, inflate: Callable[[bytes], bytes]) -> bytes | None:
    """Returns what a text chunk says, inflated, and of a raw profile the bytes that it spells.

    Args:
        kind: The chunk's name.
        body: Its content, from the keyword on.
        inflate: Inflates a block, or raises a ValueError; see `Reading.inflate`.

    Returns:
        The text, in the encoding of its chunk; None where it is damaged.
    """
    keyword, _, rest = body.partition(b"\x00")
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed = rest[:1] == b"\x01"
        rest = rest[2:].partition(b"\x00")[2].partition(b"\x00")[2]
    elif packed:
        rest = rest[1:]
    try:
        text = inflate(rest) if packed else rest
        return _from_hexadecimal(text) if keyword.startswith(_RAW_PROFILE) else text
    except ValueError:
        return None


def _from_hexadecimal(text: bytes) -> bytes:
    # Behind an empty line come the profile's name and its length.
    return bytes.fromhex("".join(text.decode("ascii").split("\n")[3:]))


def encode_png(samples: np.ndarray, image: Image) -> bytes:
    """Codes samples of 8 or 16 bits, with the picture's metadata.

    Args:
        samples: Unsigned integers, (height, width) or (height, width, 2 to 4).
        image: Whose metadata it is.
    """
    if samples.dtype == np.uint16 or samples.size > 3 * _MANY_PIXELS:
        import imagecodecs

        data = bytes(imagecodecs.png_encode(samples, level=6))
    else:
        stream = io.BytesIO()
        PillowImage.fromarray(samples).save(stream, "PNG")
        data = stream.getvalue()
    header, *others = ((kind, body) for kind, body in _chunks(data) if kind in _PIXELS)
    return _assemble([header, *_metadata_chunks(image.metadata), *others])


def _metadata_chunks(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    # Of cICP, sRGB and a profile the first that a reader knows counts; all come before pixels.
    yield from metadata.color
    if metadata.icc:
        yield b"iCCP", b"ICC Profile\x00\x00" + zlib.compress(metadata.icc)
    if metadata.dpi:
        across, down = (round(value / _INCH) for value in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", across, down, 1)
    elif metadata.density:
        yield b"pHYs", struct.pack(">IIB", *map(round, metadata.density), 0)
    if metadata.exif:
        yield b"eXIf", metadata.exif
    if metadata.xmp:
        yield b"iTXt", _XMP_KEYWORD + b"\x00\x00\x00\x00\x00" + metadata.xmp
    yield from metadata.texts


def _assemble(chunks: Iterable[tuple[bytes, bytes | memoryview]]) -> bytes:
    parts = [_SIGNATURE]
    for kind, body in chunks:
        checksum = zlib.crc32(body, zlib.crc32(kind))
        parts += [struct.pack(">I4s", len(body), kind), body, struct.pack(">I", checksum)]
    return b"".join(parts)
