"""JPEG files: what their segments say, and segments for new files."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from PIL import JpegImagePlugin

from kerasdenoise.images.decoding import decode, metadata_of, note_unread, open_picture
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.refusal import COPY_AGAIN, Reading, RefusedError

# A segment's length is a 16-bit number that counts itself.
_SEGMENT = 65533
_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_XMP_PART = 65400
_EXIF = b"Exif\x00\x00"
_PHOTOSHOP = b"Photoshop 3.0\x00"
_GAIN_MAP = b"http://ns.adobe.com/hdr-gain-map/"
_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\x00"
# Each scan of a progressive file goes over the whole picture; encoders make ten or so.
_MOST_SCANS = 100
# Segments that the writer makes, or that hold for the old file alone.
_WRITTEN = (
    *(b"JFIF\x00", b"JFXX\x00", _EXIF, _XMP, _XMP_EXTENSION),
    *(b"ICC_PROFILE\x00", b"MPF\x00", _PHOTOSHOP, b"Adobe\x00"),
)
_VIDEO = re.compile(rb"\0\0\0.ftyp(?:mp4|isom|qt|avc|hvc)", re.DOTALL)
_JUMBF = 0xEB
# In and between scans, what begins a segment or ends the picture: there, coded data has 0xFF only
# before zeros and restarts.
_BETWEEN = re.compile(rb"\xff[\xc4\xcc\xd9-\xdd\xe0-\xef\xfe]")
# Segments of the blocks of metadata that Pillow hands over.
_BLOCKS = {_EXIF: "exif", _XMP: "xmp", b"ICC_PROFILE\x00": "icc"}
# The luma table of the JPEG standard (ITU-T T.81, annex K), which libjpeg scales by the quality.
_LUMA = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


@dataclass
class _Segments:
    """What Pillow does not say of a file, or not as it stands in it."""

    comments: list[bytes] = field(default_factory=list)
    photoshop: list[bytes] = field(default_factory=list)
    xmp_extension: list[bytes] = field(default_factory=list)
    others: list[tuple[int, bytes]] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    previews: int = 0
    more_pictures: bool = False
    behind: memoryview = memoryview(b"")  # noqa: RUF009 (never changed)
    has_video: bool = False


def read_jpeg(data: bytes, reading: Reading) -> Image:
    """Reads a JPEG file; refuses CMYK, 12 bits and further pictures that are no previews."""
    segments = _inspect(data, reading)
    picture = open_picture(data, "JPEG", reading)
    pixels, alpha = decode(picture, reading)
    metadata = replace(
        metadata_of(picture),
        comments=tuple(segments.comments),
        photoshop=b"".join(segments.photoshop) or None,
        xmp_extension=tuple(segments.xmp_extension),
        segments=tuple(_keep_segments(segments.others, reading)),
    )
    # Where a JPEG header states none, Pillow makes one up from EXIF, which travels anyway.
    if picture.info.get("jfif_unit") not in (1, 2):
        metadata = replace(metadata, dpi=None)
    across, down = picture.info.get("jfif_density", (1, 1))
    if picture.info.get("jfif_unit") == 0 and across > 0 and down > 0 and (across, down) != (1, 1):
        metadata = replace(metadata, density=(float(across), float(down)))
    note_unread(segments.blocks, metadata, reading)
    if (packets := segments.blocks.count("xmp")) > 1:
        reading.notes.append(f"has {packets} packets of XMP: all but the last are dropped")
    if segments.previews:
        reading.notes.append("has previews outside its EXIF: they are dropped")
    if segments.more_pictures and _GAIN_MAP in (metadata.xmp or b""):
        reading.leave_out(
            "holds a gain map (Ultra HDR), which would be lost",
            "save the picture as an ordinary JPEG first",
        )
    mentioned = re.search(rb"MotionPhoto|MicroVideo", metadata.xmp or b"")
    if mentioned or segments.has_video:
        reading.notes.append("has a video after the image, which is dropped")
    else:
        reading.note_behind(segments.behind)
    return Image(pixels, alpha, format="JPEG", metadata=metadata, coding=_coding(picture))


def _keep_segments(
    segments: list[tuple[int, bytes]], reading: Reading
) -> Iterator[tuple[int, bytes]]:
    """Yields the segments that stay true when pixels change; notes what does not."""
    notes = []
    for marker, body in segments:
        if marker == _JUMBF and body.startswith(b"JP"):
            notes.append(
                "has content credentials or an HDR layer, which are valid only for the old pixels: "
                "they are dropped"
            )
            continue
        if body.startswith(b"FLIR\x00"):
            notes.append("has thermal camera data: they are kept unchanged, not denoised")
        yield marker, body
    reading.notes += dict.fromkeys(notes)


def _coding(picture: object) -> dict[str, object]:
    """Returns the tables with which the file was coded, if Pillow can write such files."""
    if not isinstance(picture, JpegImagePlugin.JpegImageFile):
        return {}
    # Pillow gives each component the table at its own place, and those beyond the end the last.
    used = [table for *_, table in picture.layer]
    while len(used) > 1 and used[-1] == used[-2]:
        used.pop()
    coding: dict[str, object] = {"qtables": [picture.quantization[table] for table in used]}
    subsampling = _SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(picture))
    return coding | ({"subsampling": subsampling} if subsampling else {})


def estimate_quality(table: Sequence[int]) -> int:
    """Estimates the quality of a JPEG file, on the scale of libjpeg.

    Args:
        table: The file's quantization table of luma, in any order.

    Returns:
        The quality, 1 to 100, whose table has the nearest sum.
    """

    def difference(quality: int) -> int:
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        steps = ((scale * step + 50) // 100 for step in _LUMA)
        return abs(sum(min(max(step, 1), 255) for step in steps) - sum(table))

    return min(range(1, 101), key=difference)


def _inspect(data: bytes, reading: Reading) -> _Segments:
    """Refuses what Pillow would read only in part: no end, several pictures, CMYK, 12 bits."""
    found = _Segments()
    indexed = 0
    scans = 0
    at = 2
    while True:
        # Like every decoder, pass over fill bytes and what else is no marker.
        if scans:
            match = _BETWEEN.search(data, at)
            at = match.start() if match else -1
        elif data[at] != 0xFF or data[at + 1] in (0x00, 0xFF):
            at = data.find(b"\xff", at + 1)
            if at >= 0:
                continue
        if at < 0:
            raise RefusedError("is truncated", COPY_AGAIN)
        if scans and data[at + 1] == 0xD9:
            break
        marker, length = struct.unpack_from(">HH", data, at)
        scans += marker == 0xFFDA
        # Of its bytes 0xFF, entropy coding marks those that begin nothing.
        if scans > _MOST_SCANS:
            raise RefusedError(f"has more than {_MOST_SCANS} scans, unlike any photo", COPY_AGAIN)
        segment = data[at + 4 : at + 2 + length]
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            _check_frame(segment)
        elif marker == 0xFFE2 and segment.startswith(b"MPF\x00"):
            indexed = _check_pictures(segment[4:], at + 8, reading)
        elif marker == 0xFFFE:
            found.comments.append(segment)
        elif marker == 0xFFED and segment.startswith(_PHOTOSHOP):
            found.photoshop.append(segment[len(_PHOTOSHOP) :])
        elif marker == 0xFFE1 and segment.startswith(_XMP_EXTENSION):
            found.xmp_extension.append(segment[len(_XMP_EXTENSION) :])
        elif 0xFFE0 <= marker <= 0xFFEF and not segment.startswith(_WRITTEN):
            found.others.append((marker & 0xFF, segment))
        found.previews += segment.startswith(b"JFXX\x00") or (
            segment.startswith(b"JFIF\x00") and segment[12:14] > b"\0\0" and any(segment[14:])
        )
        found.blocks += [name for label, name in _BLOCKS.items() if segment.startswith(label)]
        at += 2 + length
    end = at + 2
    found.behind = memoryview(data)[max(end, indexed) :]
    found.previews += bool(indexed)
    found.has_video = _VIDEO.search(data, end) is not None
    found.more_pictures = not indexed and data.find(b"\xff\xd8\xff", end) >= 0
    return found


def _check_frame(segment: bytes) -> None:
    bits, components = segment[0], segment[5]
    if 8 < bits <= 16:
        raise RefusedError(
            f"is a {bits}-bit JPEG, which is not supported yet", "convert it to 8 bits first"
        )
    if components == 4:
        raise RefusedError("is a CMYK JPEG, which is not supported yet", "convert it to RGB first")


def _check_pictures(index: bytes, start: int, reading: Reading) -> int:
    """Refuses files whose further pictures are more than previews of the first.

    Args:
        index: The multi-picture index (MPF).
        start: Where it stands in the file.
        reading: What decides, or gets a note.

    Returns:
        Where the last of the further pictures ends; 0 if it is not known what they are.
    """
    try:
        pictures = _pictures(index)
    except struct.error:  # an index that nobody can follow leads to no further picture
        return 0
    preview = 0x01
    if any((kind >> 16) & 0xFF != preview for kind, _, _ in pictures):
        reading.leave_out(
            f"holds {len(pictures) + 1} pictures (a gain map, a stereo pair or a panorama), "
            "of which only the first would be left",
            "save the picture as an ordinary JPEG first",
        )
    return max((start + place + size for _, size, place in pictures), default=0)


def _pictures(index: bytes) -> list[tuple[int, int, int]]:
    """Returns of all pictures but the first in an index the attributes, the size and the place."""
    order = "<" if index.startswith(b"II") else ">"
    (directory,) = struct.unpack_from(f"{order}4xL", index)
    (count,) = struct.unpack_from(f"{order}H", index, directory)
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, _, length, start = struct.unpack_from(f"{order}HHLL", index, at)
        if tag == 0xB002:
            entries = range(start + 16, start + length, 16)
            return [struct.unpack_from(f"{order}LLL", index, entry) for entry in entries]
    return []


def jpeg_metadata(metadata: Metadata) -> dict[str, object]:
    """Returns Pillow's options with which a file gets this metadata."""
    xmp, extension = metadata.xmp, metadata.xmp_extension
    if xmp and len(xmp) > _SEGMENT - len(_XMP):
        xmp, more = _split_xmp(xmp)
        extension = (*extension, *more)
    blocks = {"icc_profile": metadata.icc, "xmp": xmp}
    options: dict[str, object] = {key: block for key, block in blocks.items() if block}
    # Pillow's own options take one segment at most; readers join several.
    options["extra"] = b"".join(
        [
            *_segments(0xE1, _EXIF, metadata.exif or b""),
            *_segments(0xED, _PHOTOSHOP, metadata.photoshop or b""),
            *(_segment(0xE1, _XMP_EXTENSION + part) for part in extension),
            *(_segment(marker, body) for marker, body in metadata.segments),
            *(_segment(0xFE, comment) for comment in metadata.comments),
        ]
    )
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    return options


def _split_xmp(xmp: bytes) -> tuple[bytes, list[bytes]]:
    """Makes of XMP that is too long for a segment a short packet and what extends it.

    Returns:
        The packet, which says no more than where the rest is, and the contents of the segments
        with all of it.
    """
    begin, end = xmp.find(b"<x:xmpmeta"), xmp.rfind(b"</x:xmpmeta>")
    whole = xmp if begin < 0 or end < 0 else xmp[begin : end + len(b"</x:xmpmeta>")]
    name = hashlib.md5(whole, usedforsecurity=False).hexdigest().upper().encode()
    packet = (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
        b'xmpNote:HasExtendedXMP="' + name + b'"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    parts = [
        name + struct.pack(">LL", len(whole), at) + whole[at : at + _XMP_PART]
        for at in range(0, len(whole), _XMP_PART)
    ]
    return packet, parts


def state_density(data: bytes, density: tuple[float, float] | None) -> bytes:
    """Returns a file of Pillow's that states a resolution without a unit, which Pillow does not."""
    if density is None or data[6:11] != b"JFIF\x00":
        return data
    return data[:13] + struct.pack(">BHH", 0, *map(round, density)) + data[18:]


def _segments(marker: int, label: bytes, block: bytes) -> Iterator[bytes]:
    room = _SEGMENT - len(label)
    for at in range(0, len(block), room):
        yield _segment(marker, label + block[at : at + room])


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (2 + len(body)).to_bytes(2, "big") + body
