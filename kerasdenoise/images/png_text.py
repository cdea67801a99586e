"""PNG's text chunks: what they say, and the blocks of metadata that some of them hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kerasdenoise.images.pillow_pixels import bare_exif

TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
XMP_KEYWORD = b"XML:com.adobe.xmp"
# ImageMagick's and ExifTool's, of which the rest of the keyword is no proof of what is in it.
_RAW_PROFILE = b"Raw profile type "
_XMP_MARKER = b"http://ns.adobe.com/xap/1.0/\x00"
_XMP_STARTS = (b"<?xpacket", b"<x:xmpmeta", b"<rdf:RDF")
_TIFF_STARTS = (b"II*\x00", b"MM\x00*")


class Blocks(NamedTuple):
    """What text chunks hold, each as the bytes that other formats have."""

    exif: bytes | None
    xmp: bytes | None
    texts: tuple[tuple[bytes, bytes], ...]


Inflate = Callable[[bytes], bytes]


def sort_texts(chunks: list[tuple[bytes, bytes]], inflate: Inflate) -> Blocks:
    """Tells EXIF and XMP from texts.

    Args:
        chunks: Text chunks as names and contents.
        inflate: Inflates a block, or raises a ValueError; see `Reading.inflate`.

    Returns:
        The blocks, and all chunks that hold neither. XMP under its own keyword goes before XMP in
        a raw profile.
    """
    exif = xmp = profile_xmp = None
    texts = []
    for kind, body in chunks:
        keyword = body.partition(b"\x00")[0]
        if keyword == XMP_KEYWORD:
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
    return Blocks(exif, xmp or profile_xmp, tuple(texts))


def read_text(kind: bytes, body: bytes, inflate: Inflate) -> bytes | None:
    """Returns what a text chunk says, inflated, and of a raw profile the bytes that it spells.

    Args:
        kind: The chunk's name.
        body: Its content, from the keyword on.
        inflate: As for `sort_texts`.

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
