"""WebP files: whether all is there, and whether they are coded without loss."""

from __future__ import annotations

import struct

from kerasdenoise.images.decoding import decode, metadata_of, note_unread, open_picture
from kerasdenoise.images.image import Image
from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError

_KNOWN = frozenset(
    (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ")
)
# Chunks that libwebp passes over unless the header announces them.
_BLOCKS = {b"ICCP": "icc", b"EXIF": "exif", b"XMP ": "xmp"}


def read_webp(data: bytes, reading: Reading) -> Image:
    """Reads a WebP file; refuses animations, and a file that ends early."""
    names, end = _chunk_names(data)
    lossless = b"VP8L" in names
    reading.note_lost("chunks", sorted(names - _KNOWN))
    picture = open_picture(data, "WEBP", reading)
    pixels, alpha = decode(picture, reading)
    metadata = metadata_of(picture)
    note_unread((name for chunk, name in _BLOCKS.items() if chunk in names), metadata, reading)
    reading.note_behind(memoryview(data)[end:])
    return Image(pixels, alpha, format="WEBP", metadata=metadata, lossless=lossless)


def _chunk_names(data: bytes) -> tuple[set[bytes], int]:
    """Returns the names of all chunks, and where the file ends by its own account."""
    (declared,) = struct.unpack_from("<I", data, 4)
    end = 8 + declared
    if end > len(data):
        raise RefusedError("is truncated", COPY_AGAIN)
    at = 12
    names = set()
    while at + 8 <= end:
        name, length = struct.unpack_from("<4sI", data, at)
        names.add(name)
        at += 8 + length + length % 2
    return names, end
