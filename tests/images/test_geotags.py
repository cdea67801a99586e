from __future__ import annotations

import io
import struct
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.metadata import apply_policy, exif_without_place
from kerasdenoise.images.photoshop import resources_of
from kerasdenoise.images.read import read_image
from kerasdenoise.images.tags import (
    EXIF,
    GPS,
    ORIENTATION,
    Tag,
    pack_block,
    pack_directory,
    read_directory,
)
from kerasdenoise.images.write import encode_image

PICTURE = Image(np.full((9, 8, 3), 0.5, np.float32))
PLACE = struct.pack("<6L", 52, 1, 31, 1, 4661, 100)
LATITUDE = b'<x:xmpmeta><rdf:Description exif:GPSLatitude="47,22.2N"/></x:xmpmeta>'
MAKER = Tag(2, 6, b"Maker\x00")


def without_place(metadata: Metadata) -> Metadata:
    return apply_policy(metadata, "no-gps")


def resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHL", number, 0, len(data)) + data + b"\x00" * (len(data) % 2)


def raw_profile(name: str, content: bytes) -> bytes:
    return f"\n{name}\n{len(content):8}\n{content.hex()}\n".encode()


@pytest.mark.parametrize(
    "place",
    [
        b' drone-dji:GpsLatitude="+47.37" drone-dji:GpsLongtitude="+8.54"',
        b' drone-dji:Latitude = "+47.37"',
        b"\te:GPSLatitude='+47.37'",
        b' Camera:RtkGpsFix="+47.37"',
    ],
)
def test_xmp_has_the_place_under_any_prefix(place: bytes) -> None:
    xmp = b'<rdf:Description xmlns:gpsx="http://gps.example/"%s exif:ISO="100"/>'
    assert without_place(Metadata(xmp=xmp % place)).xmp is None
    assert without_place(Metadata(xmp=xmp % b"")).xmp == xmp % b""


def test_xmp_has_the_place_in_elements() -> None:
    xmp = b"<a>%s<e:ISO>100</e:ISO></a>"
    for place in (b"<e:gpsLatitude rdf:parseType='x'>47</e:gpsLatitude>", b"<dji:GpsStatus/>"):
        assert without_place(Metadata(xmp=xmp % place)).xmp is None
    assert without_place(Metadata(xmp=xmp % b"")).xmp == xmp % b""


@pytest.mark.parametrize(
    "xmp",
    [
        LATITUDE.decode().encode("utf-16"),
        b'<GPSLatitude xmlns="http://ns.adobe.com/exif/1.0/">47.37</GPSLatitude>',
        b'<!-- exif:GPSLatitude="47.37 -->',
    ],
)
def test_a_packet_that_speaks_of_the_place_in_any_way_is_dropped(xmp: bytes) -> None:
    assert without_place(Metadata(xmp=xmp)).xmp is None


def test_a_title_may_speak_of_gps() -> None:
    xmp = b"<dc:title>my GPS track</dc:title>"
    assert without_place(Metadata(xmp=xmp)).xmp == xmp


def test_the_time_of_a_packet_grows_with_its_length_and_not_with_the_square() -> None:
    def least_seconds(length: int) -> float:
        xmp = b"<a:image>" + b"A" * length + b" " * length + b"</a:image>"
        seconds = []
        for _ in range(3):
            start = time.process_time()
            assert without_place(Metadata(xmp=xmp)).xmp == xmp
            seconds.append(time.process_time() - start)
        return min(seconds)

    assert least_seconds(800_000) < 24 * least_seconds(100_000)  # 8 times as long


def test_a_name_over_two_segments_of_extended_xmp_is_found() -> None:
    head = b"0" * 32 + struct.pack(">L", 40)
    first = head + struct.pack(">L", 0) + b"<a drone-dji:Gps"
    second = head + struct.pack(">L", 16) + b'Latitude="+47.37"/>'
    for parts in ((first, second), (second, first)):
        assert without_place(Metadata(xmp_extension=parts)).xmp_extension == ()
    # Letters by chance in what is coded as text are no name.
    other = (head + struct.pack(">L", 0) + b'<a GDepth:Data="xxGPSxx"/>',)
    assert without_place(Metadata(xmp_extension=other)).xmp_extension == other


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"zTXt", b"Comment\x00\x00" + zlib.compress(b"GPS 47.37,8.54")),
        (b"iTXt", b"Comment\x00\x01\x00\x00\x00" + zlib.compress(b"gps 47.37,8.54")),
        (b"tEXt", b"exif:GPSLatitude\x0047.37"),
        (b"tEXt", b"Raw profile type xmp\x00" + raw_profile("xmp", LATITUDE)),
        (b"zTXt", b"Raw profile type iptc\x00\x00" + zlib.compress(raw_profile("iptc", b"GPS"))),
        (b"zTXt", b"Comment\x00\x00" + zlib.compress(b"GPS 47.37,8.54")[:-5]),
    ],
)
def test_texts_of_png_are_searched_as_they_read(kind: bytes, body: bytes) -> None:
    kept = (b"zTXt", b"Author\x00\x00" + zlib.compress(b"me"))
    metadata = Metadata(texts=(kept, (kind, body)))
    assert without_place(metadata).texts == (kept,)


@pytest.mark.parametrize("name", ["xmp", "APP1"])
def test_a_raw_profile_of_xmp_that_tells_the_place_is_dropped(name: str) -> None:
    marker = b"http://ns.adobe.com/xap/1.0/\x00" if name == "APP1" else b""
    text = f"Raw profile type {name}\x00".encode() + raw_profile(name, marker + LATITUDE)
    data = encode_image(replace(PICTURE, metadata=Metadata(texts=((b"tEXt", text),))))
    image = read_image(data)
    assert image.metadata.xmp == LATITUDE
    assert read_image(encode_image(image, metadata="no-gps")).metadata == Metadata()


def test_resources_of_photoshop_that_tell_the_place_go_as_a_whole() -> None:
    maker = {0x010F: MAKER}
    place = pack_block(maker | {GPS: Tag(4, 1, b"", {2: Tag(5, 3, PLACE)})}, "<")
    iptc = resources_of(b"\x1c\x02\x05\x00\x05title")
    told = [
        resource(0x0424, LATITUDE),
        resource(0x0424, b"<drone-dji:Latitude>47</drone-dji:Latitude>"),
        resource(0x0422, place),
        resource(0x0423, b"cannot be followed"),
        resource(0x0425, b"a note on GPS"),
        resource(0x0404, "GPS".encode("utf-16")),
        b"8BIMGPS 47.37",
    ]
    for each in told:
        assert without_place(Metadata(photoshop=iptc + each)).photoshop is None
    others = iptc + resource(0x0424, b"<dc:title>my GPS track</dc:title>")
    for kept in (iptc, others, iptc + resource(0x0422, pack_block(maker, "<")), iptc + b"8BIM\x04"):
        assert without_place(Metadata(photoshop=kept)).photoshop == kept


def test_xmp_goes_with_the_part_of_it_that_tells_the_place() -> None:
    told = (b"0" * 40 + b"<exif:GPSLatitude>",)
    packet = b"<x:xmpmeta/>"
    assert without_place(Metadata(xmp=packet, xmp_extension=told)) == Metadata()
    other = (b"0" * 40 + b"<dc:title>",)
    assert without_place(Metadata(xmp=LATITUDE, xmp_extension=other)) == Metadata()
    both = Metadata(xmp=packet, xmp_extension=other)
    assert without_place(both) == both


def test_comments_of_jpeg_that_speak_of_the_place_are_dropped() -> None:
    comments = (b"hello", b"GPS 47.37,8.54")
    assert without_place(Metadata(comments=comments)).comments == (b"hello",)


def test_geotiff_loses_the_place() -> None:
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        np.zeros((9, 8, 3), np.uint8),
        photometric="rgb",
        metadata=None,
        software="Scanner",
        extratags=[
            (33550, 12, 3, (0.5, 0.5, 0.0), True),
            (33922, 12, 6, (0.0, 0.0, 0.0, 8.54, 47.37, 0.0), True),
            (34735, 3, 4, (1, 1, 0, 0), True),
            (34737, 2, 0, "WGS 84", True),
        ],
    )
    written = encode_image(read_image(stream.getvalue()), metadata="no-gps")
    assert struct.pack("<d", 47.37) not in written
    with tifffile.TiffFile(io.BytesIO(written)) as file:
        found = file.pages.first.tags
        assert found["Software"].value == "Scanner"
        assert not {33550, 33922, 34735, 34737} & {tag.code for tag in found}


def test_a_place_that_cannot_be_followed_takes_all_with_it() -> None:
    turned = {ORIENTATION: Tag(3, 1, b"\x06\x00")}
    place = Tag(4, 1, b"", {2: Tag(5, 3, PLACE)})
    exif = bytearray(pack_block({0x010F: MAKER, **turned, GPS: place}, "<"))
    (start,) = read_directory(bytes(exif), 8)[GPS].numbers("<")
    struct.pack_into("<H", exif, start, 99)
    block = PillowImage.Exif()
    block.load(bytes(exif))
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        assert block.get_ifd(GPS)[2] == (52, 31, pytest.approx(46.61))
    # But for what decides how the picture looks.
    assert without_place(Metadata(exif=bytes(exif))).exif == pack_block(turned, "<")


def test_texts_in_exif_that_speak_of_the_place_are_taken_out() -> None:
    comment = b"UNICODE\x00" + "GPS 47.37".encode("utf-16-le")
    exif = pack_block(
        {
            0x010E: Tag(2, 10, b"GPS 47.37\x00"),
            0x010F: MAKER,
            EXIF: Tag(4, 1, b"", {0x9286: Tag(7, len(comment), comment), 0xA001: MAKER}),
        },
        "<",
    )
    left = without_place(Metadata(exif=exif)).exif or b""
    assert len(left) == len(exif)
    assert b"47.37" not in left.replace(b"\x00", b"")
    tags = read_directory(left, 8)
    assert set(tags) == {0x010F, EXIF}
    assert set(tags[EXIF].directory or {}) == {0xA001}


def test_the_preview_stays_but_for_its_place() -> None:
    first = pack_block({0x010F: MAKER}, "<")
    at = len(first)
    place = Tag(4, 1, b"", {2: Tag(5, 3, PLACE)})
    preview = pack_directory({0x010F: MAKER, GPS: place}, "<", at)
    # Behind the first directory's one entry stands where the next is.
    exif = first[:22] + struct.pack("<L", at) + first[26:] + preview
    left = exif_without_place(exif) or b""
    assert PLACE not in left
    assert set(read_directory(left, at)) == {0x010F}
    # One that cannot be followed is led to no more.
    cut = exif_without_place(exif[: at + 5]) or b""
    assert cut == first + exif[at : at + 5]


@given(st.binary(max_size=200))
def test_any_block_keeps_its_length_or_is_dropped(noise: bytes) -> None:
    block = b"MM\x00*\x00\x00\x00\x08" + noise
    left = exif_without_place(block)
    assert left is None or len(left) == len(block)
