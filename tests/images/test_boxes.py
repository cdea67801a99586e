"""Which boxes of AVIF and HEIC files count, and BMP files of all kinds."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError
from kerasdenoise.images.heif import Box, check_boxes, note_others, read_boxes
from kerasdenoise.images.read import read_image
from kerasdenoise.images.refusal import Reading, RefusedError
from kerasdenoise.images.tags import Tag, pack_block
from kerasdenoise.images.write import encode_image

EXIF = pack_block({0x010F: Tag(2, 6, b"Maker\0")}, ">")
SRGB = b"nclx" + struct.pack(">HHHB", 1, 13, 6, 128)
PQ = b"nclx" + struct.pack(">HHHB", 9, 16, 9, 128)


def file_of(primary: int, associations: dict[int, list[int]], tiles: int = 0) -> list[Box]:
    """Boxes of an sRGB picture (1), an HDR one (2) and a gain map of 10 bits (3)."""
    ipma = b"\0\0\0\0" + struct.pack(">L", len(associations))
    for item, places in associations.items():
        ipma += struct.pack(">HB", item, len(places)) + bytes(place | 0x80 for place in places)
    dimg = struct.pack(">HHHH", 2, 2, 1, 3)
    if tiles:
        dimg = struct.pack(">HHH", primary, 1, tiles)
    iref = b"\0\0\0\0" + struct.pack(">L4s", 8 + len(dimg), b"dimg") + dimg
    properties = [
        Box(b"colr", SRGB, b"ipco"),
        Box(b"colr", PQ, b"ipco"),
        Box(b"pixi", b"\0\0\0\0\x03\x0a\x0a\x0a", b"ipco"),
    ]
    return [
        Box(b"pitm", b"\0\0\0\0" + struct.pack(">H", primary), b"meta"),
        Box(b"iinf", b"tmap", b"meta"),
        Box(b"iref", iref, b"meta"),
        *properties,
        Box(b"ipma", ipma, b"iprp"),
    ]


USUAL = {1: [1], 2: [2, 3], 3: [3]}


def test_what_a_gain_map_has_is_not_asked_of_the_picture() -> None:
    with pytest.raises(RefusedError, match="gain map"):
        check_boxes(file_of(1, USUAL), Reading())
    reading = Reading(first_only=True)
    check_boxes(file_of(1, USUAL), reading)
    assert "gain map" in reading.notes[0]


@pytest.mark.parametrize(
    ("primary", "associations", "tiles"),
    [(2, USUAL, 0), (3, USUAL, 0), (1, {1: [1, 2]}, 0), (1, {1: [1], 7: [3]}, 7)],
)
def test_what_the_picture_or_its_tiles_have_is(
    primary: int, associations: dict[int, list[int]], tiles: int
) -> None:
    with pytest.raises(RefusedError, match=r"bits|sRGB"):
        check_boxes(file_of(primary, associations, tiles), Reading(first_only=True))


def test_where_nothing_is_said_all_boxes_count() -> None:
    boxes = [box for box in file_of(1, USUAL) if box.kind != b"ipma"]
    with pytest.raises(RefusedError, match="sRGB"):
        check_boxes(boxes, Reading(first_only=True))


@pytest.mark.parametrize("primaries", [5, 6])
def test_colors_of_old_television_are_said(primaries: int) -> None:
    reading = Reading()
    body = b"nclx" + struct.pack(">HHHB", primaries, 6, 6, 128)
    check_boxes([Box(b"colr", body, b"ipco")], reading)
    assert "primaries" in reading.notes[0]


@pytest.fixture(params=["AVIF", "HEIF"])
def whole(request: pytest.FixtureRequest, encoded: Callable[..., bytes]) -> bytes:
    """A file with alpha, EXIF and XMP."""
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    return encoded("RGBA", request.param, exif=b"Exif\0\0" + EXIF, xmp=b"<x:xmpmeta/>")


def test_what_is_kept_or_shown_is_not_named(whole: bytes) -> None:
    image = read_image(whole)
    assert image.notes == ()
    assert image.alpha is not None
    assert image.metadata.xmp == b"<x:xmpmeta/>"


def test_items_of_no_picture_are_named(whole: bytes) -> None:
    other = b"application/x-notes"
    assert whole.count(b"application/rdf+xml") == 1
    image = read_image(whole.replace(b"application/rdf+xml", other))
    assert image.notes == ("has items of application/x-notes: they are dropped",)
    assert other not in encode_image(image)


def test_a_further_picture_is_refused_or_left_out(whole: bytes) -> None:
    two = whole.replace(b"auxl", b"xxxx")  # what was alpha is a picture of its own
    with pytest.raises(InputError, match="holds 2 pictures"):
        read_image(two)
    (note,) = read_image(two, first_only=True).notes
    assert "holds 2 pictures" in note


def test_boxes_and_bytes_behind_the_picture_are_named(whole: bytes) -> None:
    video = struct.pack(">L4s", 20, b"mpvd") + bytes(12)
    assert read_image(whole + video).notes == ("has boxes of mpvd: they are dropped",)
    unused = struct.pack(">L4s", 20, b"free") + bytes(12)
    assert read_image(whole + unused + bytes(3)).notes == ()
    assert read_image(whole + b"\0\0\0\1xy").notes == (
        "has 6 bytes after the image: they are dropped",
    )


@pytest.mark.parametrize("cuts", [False, True])
def test_properties_of_the_picture_that_nobody_keeps_are_named(cuts: bool) -> None:
    reading = Reading()
    boxes = file_of(1, {1: [1, 4, 5], 2: [6]})
    boxes[6:6] = [Box(kind, b"", b"ipco") for kind in (b"pasp", b"clap", b"udes")]
    note_others(boxes, reading, cuts=cuts)
    named = "pasp" if cuts else "pasp, clap"
    assert reading.notes == [f"has properties of {named}: they are dropped"]


def test_boxes_in_boxes_without_end_are_an_error(encoded: Callable[..., bytes]) -> None:
    data = encoded("RGB", "AVIF")
    assert any(box.parent == b"ipco" for box in read_boxes(data))
    deep = b"".join(struct.pack(">L4s4x", 12 * (50_000 - n), b"meta") for n in range(50_000))
    with pytest.raises(InputError):
        read_image(data[:32] + deep)


def bmp(values: np.ndarray, masks: list[int], size: int = 40, height: int | None = None) -> bytes:
    bits = values.itemsize * 8
    rows = np.zeros((len(values), -(-values.nbytes // len(values) // 4) * 4), np.uint8)
    raw = values.view(np.uint8).reshape(len(values), -1)
    rows[:, : raw.shape[1]] = raw
    header = struct.pack(
        "<LllHHLLllLL", size, values.shape[1], height or len(values), 1, bits, 3, 0, 0, 0, 0, 0
    )
    masked = struct.pack(f"<{len(masks)}L", *masks).ljust(max(12, size - 40), b"\0")
    start = 14 + len(header) + len(masked)
    return struct.pack("<2sLHHL", b"BM", 0, 3, 4, start) + header + masked + rows.tobytes()


VALUES = np.random.default_rng(0).integers(0, 2**32, (5, 7), np.uint32)


@pytest.mark.parametrize("down", [1, -1])
@pytest.mark.parametrize("size", [40, 56])
@pytest.mark.parametrize(
    "masks", [[0xFF, 0xFF00, 0xFF0000], [0xFF00, 0xFF0000, 0xFF000000], [0x3F, 0x1F00, 0x70000]]
)
def test_masks_of_32_bits(masks: list[int], size: int, down: int) -> None:
    image = read_image(bmp(VALUES, masks, size, down * len(VALUES)))
    for channel, mask in enumerate(masks):
        shift = (mask & -mask).bit_length() - 1
        level = ((VALUES & mask) >> shift) / (mask >> shift)
        shown = np.rint(image.pixels[..., channel] * 255)
        np.testing.assert_array_equal(shown if down < 0 else shown[::-1], np.rint(level * 255))
    assert image.alpha is None


def test_a_mask_of_alpha() -> None:
    masks = [0xFF000000, 0xFF0000, 0xFF00, 0xFF]
    image = read_image(bmp(VALUES, masks, 56))
    np.testing.assert_array_equal(image.alpha[::-1], (VALUES & 0xFF).astype(np.uint8))


@pytest.mark.parametrize("masks", [[0x3FF, 0xFFC00, 0x3FF00000], [0, 0xFF, 0xFF00], [5, 8, 16]])
def test_other_masks_are_refused(masks: list[int]) -> None:
    with pytest.raises(InputError, match="mask"):
        read_image(bmp(VALUES, masks))


def test_masks_of_16_bits_are_read_as_pillow_does() -> None:
    data = bmp(VALUES.astype(np.uint16), [0xF800, 0x7E0, 0x1F])
    shown = np.asarray(PillowImage.open(io.BytesIO(data)).convert("RGB")).astype(float)
    assert np.abs(read_image(data).pixels * 255 - shown).max() < 5  # Pillow fills with zeros


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_a_hotspot_makes_no_other_file(encoded: Callable[..., bytes], mode: str) -> None:
    data = bytearray(encoded(mode, "BMP"))
    pixels = read_image(bytes(data)).pixels
    struct.pack_into("<HH", data, 6, 17, 23)
    np.testing.assert_array_equal(read_image(bytes(data)).pixels, pixels)
