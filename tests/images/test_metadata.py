from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PillowImage

from kerasdenoise.errors import UsageError
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.metadata import apply_policy, describe_losses
from kerasdenoise.images.read import read_image
from kerasdenoise.images.tags import (
    EXIF,
    GPS,
    INTEROPERABILITY,
    ORIENTATION,
    Tag,
    first_directory,
    pack_block,
    read_directory,
)
from kerasdenoise.images.write import encode_image

PLACE = struct.pack(">6L", 52, 1, 31, 1, 4661, 100)
NOTE = b"maker's note with pointers into the block"


def exif_of(order: str = ">") -> bytes:
    return pack_block(
        {
            0x010F: Tag(2, 6, b"Maker\x00"),
            ORIENTATION: Tag(3, 1, struct.pack(f"{order}H", 6)),
            EXIF: Tag(4, 1, b"", {0x927C: Tag(7, len(NOTE), NOTE)}),
            GPS: Tag(4, 1, b"", {1: Tag(2, 2, b"N\x00"), 2: Tag(5, 3, PLACE)}),
        },
        order,
    )


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description dc:title="sea"
 exif:GPSLatitude="52,31.2N" exif:GPSLongitude='13,24E' exif:ISO="100">
<exif:GPSAltitude>35/1</exif:GPSAltitude><exif:GPSTimeStamp/></rdf:Description></x:xmpmeta>"""

FULL = Metadata(
    icc=b"profile",
    exif=exif_of(),
    xmp=XMP,
    xmp_extension=(b"0" * 40 + b"<exif:GPSLatitude>",),
    photoshop=b"8BIM",
    comments=(b"hello",),
    color=((b"gAMA", b"\x00\x00\xb1\x8f"),),
    texts=((b"tEXt", b"Author\x00me"), (b"tEXt", b"exif:GPSInfo\x00123")),
    dpi=(72.0, 72.0),
)


PICTURE = Image(np.full((9, 8, 3), 0.5, np.float32), format="JPEG")
COLOR_SPACE = Tag(3, 1, b"\xff\xff")
ADOBE_RGB = {1: Tag(2, 4, b"R03\x00"), 2: Tag(7, 4, b"0100")}


def test_keep_keeps_all() -> None:
    assert apply_policy(FULL, "keep") is FULL


def test_no_gps_drops_the_place_from_exif_and_else_all_that_tells_it() -> None:
    left = apply_policy(FULL, "no-gps")
    assert left.exif is not None
    assert FULL.exif is not None
    assert len(left.exif) == len(FULL.exif)
    assert PLACE not in left.exif
    assert left.exif.index(NOTE) == FULL.exif.index(NOTE)
    block = PillowImage.Exif()
    block.load(left.exif)
    assert not block.get_ifd(GPS)
    assert (block[0x010F], block[ORIENTATION]) == ("Maker", 6)
    assert block.get_ifd(EXIF)[0x927C] == NOTE
    assert (left.xmp, left.xmp_extension) == (None, ())
    assert left.texts == ((b"tEXt", b"Author\x00me"),)
    changed = {"exif": FULL.exif, "xmp": XMP, "xmp_extension": FULL.xmp_extension}
    assert replace(left, **changed, texts=FULL.texts) == FULL


def test_what_goes_with_the_place_is_said() -> None:
    image = replace(PICTURE, metadata=FULL, notes=("is a test",))
    given, of_place, of_format = describe_losses(image, "JPEG", "no-gps")
    assert given == "is a test"
    assert of_place.startswith(
        "loses XMP, the second part of XMP, PNG's texts, which may contain the location"
    )
    assert of_format == "loses PNG's color chunks, PNG's texts: JPEG cannot store it"
    plain = replace(PICTURE, metadata=Metadata(exif=exif_of(), comments=(b"hello",)))
    assert describe_losses(plain, "JPEG", "no-gps") == ()
    full = replace(PICTURE, metadata=replace(FULL, texts=(), color=()))
    assert describe_losses(full, "JPEG", "keep") == ()
    assert describe_losses(full, "JPEG", "none") == ()


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        (Metadata(exif=b"nonsense"), "EXIF"),
        (Metadata(xmp=XMP), "XMP"),
        (Metadata(photoshop=b"8BIM\x04\x04\x00\x00\x00\x00\x00\x06my GPS"), "IPTC"),
        (Metadata(comments=(b"hello", b"my GPS")), "comments"),
        (Metadata(segments=((0xE5, b"anything"),)), "segments of the camera's maker"),
    ],
)
def test_each_block_that_goes_with_the_place_is_named(metadata: Metadata, name: str) -> None:
    (note,) = describe_losses(replace(PICTURE, metadata=metadata), "JPEG", "no-gps")
    assert note.startswith(f"loses {name}, which may contain")


def test_none_keeps_what_decides_how_it_looks() -> None:
    left = apply_policy(FULL, "none")
    assert replace(left, exif=None) == Metadata(
        icc=b"profile", color=((b"gAMA", b"\x00\x00\xb1\x8f"),), dpi=(72.0, 72.0)
    )
    assert left.exif is not None
    tags = read_directory(left.exif, first_directory(left.exif))
    assert {number: tag.numbers(">") for number, tag in tags.items()} == {ORIENTATION: [6]}


def test_none_keeps_the_color_space_and_the_resolution_of_exif() -> None:
    looks = {
        282: Tag(5, 1, struct.pack(">LL", 300, 1)),
        283: Tag(5, 1, struct.pack(">LL", 240, 1)),
        296: Tag(3, 1, b"\x00\x02"),
    }
    below = {0xA001: COLOR_SPACE, INTEROPERABILITY: Tag(4, 1, b"", ADOBE_RGB)}
    exif = pack_block(
        {
            **looks,
            0x010F: Tag(2, 6, b"Maker\x00"),
            EXIF: Tag(4, 1, b"", {**below, 0x927C: Tag(7, len(NOTE), NOTE)}),
            GPS: Tag(4, 1, b"", {2: Tag(5, 3, PLACE)}),
        },
        ">",
    )
    left = apply_policy(Metadata(exif=exif), "none").exif
    assert left == pack_block({**looks, EXIF: Tag(4, 1, b"", below)}, ">")
    picture = read_image(encode_image(replace(PICTURE, metadata=Metadata(exif=left))))
    block = PillowImage.Exif()
    block.load(picture.metadata.exif or b"")
    assert block[282] == 300
    assert block.get_ifd(EXIF)[0xA001] == 65535
    assert block.get_ifd(INTEROPERABILITY)[1] == "R03"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_files_come_without_the_place(name: str, order: str) -> None:
    image = Image(
        np.full((9, 8, 3), 0.5, np.float32), format=name, metadata=Metadata(exif=exif_of(order))
    )
    with_place, without = encode_image(image), encode_image(image, metadata="no-gps")
    assert PLACE not in without
    blocks = []
    for data in (with_place, without):
        block = PillowImage.Exif()
        block.load(read_image(data).metadata.exif or b"")
        assert block[0x010F] == "Maker"
        blocks.append(block)
    assert blocks[0].get_ifd(GPS)
    assert not blocks[1].get_ifd(GPS)


@pytest.mark.parametrize("exif", [b"nonsense", b"MM\x00*\xff\xff\xff\xff", b"II"])
def test_a_block_that_nobody_can_follow_is_dropped(exif: bytes) -> None:
    for policy in ("no-gps", "none"):
        assert apply_policy(Metadata(exif=exif), policy).exif is None


def test_exif_without_a_place_stays_as_it_is() -> None:
    exif = pack_block({0x010F: Tag(2, 6, b"Maker\x00")}, "<")
    assert apply_policy(Metadata(exif=exif), "no-gps").exif == exif
    assert apply_policy(Metadata(exif=exif), "none").exif is None


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(UsageError, match="keep, no-gps, none"):
        apply_policy(FULL, "some")  # type: ignore[arg-type]
