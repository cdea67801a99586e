"""Every way to store a picture that TIFF 6 and BigTIFF know: read right, or refused."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from kerasdenoise.errors import InputError
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image

RNG = np.random.default_rng(1)
HEIGHT, WIDTH = 37, 43


def raw_tiff(tags: Mapping[int, Any], pixels: bytes, order: str = "<", *, strips: int = 1) -> bytes:
    """A file of one page with these tags alone: SHORTs, or LONGs from 65536 on."""
    entries: dict[int, list[int]] = {
        number: [int(each) for each in np.atleast_1d(value)] for number, value in tags.items()
    }
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    heap = bytearray()
    size = len(pixels) // strips
    table = []
    places = {273: [0] * strips, 279: [size] * strips}
    room = sum(4 * len(values) for values in [*entries.values(), *places.values()])
    places[273] = [start + room + n * size for n in range(strips)]
    for number, values in sorted({**entries, **places}.items()):
        is_long = number in places or max(values) > 65535
        letter, kind = ("L", 4) if is_long else ("H", 3)
        body = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(body) > 4:
            table.append(struct.pack(f"{order}HHLL", number, kind, len(values), start + len(heap)))
            heap += body + bytes(4 * len(values) - len(body))
        else:
            table.append(
                struct.pack(f"{order}HHL", number, kind, len(values)) + body.ljust(4, b"\0")
            )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}LH", 8, len(table))
    return head + b"".join(table) + bytes(4) + bytes(heap.ljust(room, b"\0")) + pixels


def shape_of(samples: int) -> tuple[int, ...]:
    return (HEIGHT, WIDTH) if samples == 1 else (HEIGHT, WIDTH, samples)


def make(dtype: str, samples: int) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return RNG.normal(0.4, 0.5, shape_of(samples)).astype(kind)
    limits = np.iinfo(kind)
    return RNG.integers(limits.min, limits.max, shape_of(samples), kind, endpoint=True)


def expected(samples: np.ndarray) -> np.ndarray:
    peak = 1 if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max
    return (samples / peak).astype(np.float32).reshape(HEIGHT, WIDTH, -1)


DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]
LAYOUTS: list[dict[str, Any]] = [
    {},
    {"rowsperstrip": 5},
    {"tile": (16, 32)},
    {"byteorder": ">"},
    {"bigtiff": True, "byteorder": ">", "tile": (32, 16)},
    {"compression": "lzw"},
    {"compression": "zlib", "predictor": True},
    {"compression": "zstd", "predictor": True, "byteorder": ">"},
    {"compression": "lzma", "tile": (16, 16), "predictor": True},
    {"compression": "packbits", "rowsperstrip": 7},
    {"planarconfig": "separate", "compression": "lzw", "predictor": True},
    {"planarconfig": "separate", "tile": (16, 16), "byteorder": ">"},
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_are_those_that_were_written(
    dtype: str, samples: int, layout: dict[str, Any]
) -> None:
    values = make(dtype, samples)
    options = dict(layout)
    planes = options.get("planarconfig") == "separate"
    if planes and samples == 1:
        pytest.skip("has one plane")
    if options.get("predictor") and dtype == "float16" and samples:
        options["predictor"] = 3
    file = {name: options.pop(name) for name in ("byteorder", "bigtiff") if name in options}
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, **file) as writer:
        writer.write(
            np.moveaxis(values, -1, 0) if planes else values,
            photometric="minisblack" if samples < 3 else "rgb",
            extrasamples=["unassalpha"] if samples in (2, 4) else None,
            metadata=None,
            **({"planarconfig": "contig"} if samples > 1 and not planes else {}),
            **options,
        )
    image = read_image(stream.getvalue())
    colors = expected(values)
    has_alpha = samples in (2, 4)
    np.testing.assert_array_equal(image.pixels, colors[..., : samples - has_alpha])
    if has_alpha:
        assert image.alpha is not None
        opaque = 1 if image.alpha.dtype.kind == "f" else np.iinfo(image.alpha.dtype).max
        np.testing.assert_allclose(image.alpha / opaque, colors[..., -1], rtol=1e-6)
    with tifffile.TiffFile(io.BytesIO(encode_image(image))) as again:
        written = again.pages.first.asarray()
    assert written.dtype == np.dtype(dtype)
    if dtype in ("uint32", "int32", "float64"):
        np.testing.assert_allclose(
            written / 1.0, values / 1.0, rtol=1e-6, atol=256 * (dtype[0] != "f")
        )
        assert any("float32" in note for note in image.notes)
    else:
        np.testing.assert_array_equal(written, values)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("fill", [1, 2])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("photometric", [0, 1, 3])
def test_few_bits(photometric: int, bits: int, fill: int, order: str) -> None:
    values = RNG.integers(0, 2**bits, (HEIGHT, WIDTH), np.uint8)
    spread = np.unpackbits(values[..., None], axis=2)[..., 8 - bits :]
    rows = np.packbits(spread.reshape(HEIGHT, -1), axis=1, bitorder="big")
    if fill == 2:
        rows = np.packbits(np.unpackbits(rows[..., None], axis=2)[..., ::-1], axis=2)[..., 0]
    tags: dict[int, object] = {256: WIDTH, 257: HEIGHT, 258: bits, 262: photometric, 266: fill}
    palette = RNG.integers(0, 65536, (3, 2**bits), np.uint16)
    if photometric == 3:
        tags[320] = palette.ravel()
    data = raw_tiff(tags, rows.tobytes(), order)
    image = read_image(data)
    if photometric == 3:
        np.testing.assert_array_equal(np.rint(image.pixels * 65535), palette.T[values])
        return
    shown = values * (255 // (2**bits - 1))
    shown = 255 - shown if photometric == 0 else shown
    np.testing.assert_array_equal(np.rint(image.pixels[..., 0] * 255), shown)
    if (photometric, bits, fill) == (0, 8, 2):  # which Pillow does not know
        return
    other = PillowImage.open(io.BytesIO(data)).convert("L")  # by libtiff or its own decoder
    np.testing.assert_array_equal(np.asarray(other), shown)


def test_what_does_not_say_how_bright_zero_is_has_black_there() -> None:
    values = make("uint8", 1)
    image = read_image(raw_tiff({256: WIDTH, 257: HEIGHT, 258: 8}, values.tobytes()))
    np.testing.assert_array_equal(np.rint(image.pixels[..., 0] * 255), values)
    colors = make("uint8", 3)
    tags = {256: WIDTH, 257: HEIGHT, 258: [8, 8, 8], 277: 3}
    image = read_image(raw_tiff(tags, colors.tobytes()))
    np.testing.assert_array_equal(np.rint(image.pixels * 255), colors)


RGB = {256: 8, 257: 8, 258: [8, 8, 8], 262: 2, 277: 3}


@pytest.mark.parametrize(
    ("tags", "size", "strips"),
    [
        ({**RGB, 284: 5}, 64, 1),  # planes of which nobody knows
        ({**RGB, 284: 0}, 192, 1),
        ({**RGB, 284: 2}, 64, 1),  # two planes are missing
        ({**RGB, 278: 2}, 192, 3),  # a strip is missing
        ({**RGB, 278: 2}, 100, 4),  # strips are short
        ({**RGB}, 191, 1),
        ({**RGB, 266: 3}, 192, 1),
        ({**RGB, 317: 4}, 192, 1),
        ({**RGB, 317: 3}, 192, 1),  # of integers
        ({**RGB, 258: [8, 8, 16]}, 192, 1),
        ({**RGB, 339: [1, 2, 1]}, 192, 1),
        ({**RGB, 278: 0}, 192, 1),
        ({**RGB, 322: 0, 323: 0, 324: 8, 325: 9}, 192, 1),
        ({**RGB, 32997: 2}, 192, 1),
        ({256: 8, 257: 8, 258: 8, 262: 3, 320: [1, 2, 3]}, 64, 1),
    ],
)
def test_what_is_not_all_there_is_refused(tags: dict, size: int, strips: int) -> None:
    data = raw_tiff(tags, bytes(range(1, 193))[:size], strips=strips)
    with pytest.raises(InputError) as refused:
        read_image(data)
    assert refused.value.remedy


def test_a_palette_may_have_transparency() -> None:
    values = RNG.integers(0, 256, (HEIGHT, WIDTH, 2), np.uint8)
    palette = RNG.integers(0, 256, (3, 256), np.uint16) * 257
    tags = {256: WIDTH, 257: HEIGHT, 258: [8, 8], 262: 3, 277: 2, 338: 2, 320: palette.ravel()}
    image = read_image(raw_tiff(tags, values.tobytes()))
    np.testing.assert_array_equal(np.rint(image.pixels * 65535), palette.T[values[..., 0]])
    np.testing.assert_array_equal(image.alpha, values[..., 1])


def test_a_channel_of_which_nothing_is_said_is_kept_as_it_is() -> None:
    values = make("uint8", 4)
    tags = {256: WIDTH, 257: HEIGHT, 258: [8] * 4, 262: 2, 277: 4, 338: 0}
    image = read_image(raw_tiff(tags, values.tobytes()))
    assert "last channel" in image.notes[0]
    with tifffile.TiffFile(io.BytesIO(encode_image(image))) as file:
        assert [int(kind) for kind in file.pages.first.extrasamples] == [0]
        np.testing.assert_array_equal(file.pages.first.asarray(), values)


def test_a_mask_is_no_page_and_said() -> None:
    stream = io.BytesIO()
    values = make("uint8", 3)
    with tifffile.TiffWriter(stream) as file:
        file.write(values, photometric="rgb", metadata=None)
        file.write(values[..., 0] > 9, photometric="minisblack", subfiletype=4, metadata=None)
    image = read_image(stream.getvalue())
    np.testing.assert_array_equal(np.rint(image.pixels * 255), values)
    assert "mask" in image.notes[0]


@pytest.mark.parametrize(("compression", "name"), [(5, "lzw"), (8, "zlib"), (34925, "lzma")])
def test_a_piece_that_holds_more_takes_no_memory(compression: int, name: str) -> None:
    packed = getattr(imagecodecs, f"{name}_encode")(bytes(10**7))
    tags = {256: 10, 257: 1, 258: 8, 259: compression, 262: 1}
    data = raw_tiff(tags, packed)
    tracemalloc.start()
    image = read_image(data)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert image.pixels.shape == (1, 10, 1)
    assert not image.pixels.any()
    assert most < 10**6


_READ = """
import hashlib, sys
from pathlib import Path
from kerasdenoise.errors import InputError
from kerasdenoise.images.read import read_image
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        image = read_image(path)
    except InputError:
        print(path.name, "refused")
        continue
    digest = hashlib.sha256(image.pixels.tobytes())
    digest.update(b"" if image.alpha is None else image.alpha.tobytes())
    print(path.name, digest.hexdigest())
"""


def test_nothing_is_read_that_nobody_wrote(tmp_path: Path) -> None:
    """Damaged files give the same pixels whatever the allocator fills memory with."""
    folder = tmp_path / "files"
    folder.mkdir()
    picture = PillowImage.fromarray(RNG.integers(0, 256, (90, 110, 3), np.uint8))
    for file_format in ("TIFF", "PNG", "BMP", "JPEG", "WEBP", "AVIF"):
        for name, more in (("plain", {}), ("packed", {"compression": "tiff_lzw"})):
            stream = io.BytesIO()
            picture.quantize(7).save(stream, "BMP") if (file_format, name) == (
                "BMP",
                "packed",
            ) else (picture.save(stream, file_format, **(more if file_format == "TIFF" else {})))
            data = stream.getvalue()
            for number in range(12):
                damaged = bytearray(data)
                for at in RNG.integers(8, len(data), 1 + number):
                    damaged[at] = RNG.integers(0, 256)
                (folder / f"{file_format}_{name}_{number:02}").write_bytes(damaged)
    seen = []
    for fill in ("85", "170"):
        run = subprocess.run(
            [sys.executable, "-c", _READ, str(folder)],
            env={**os.environ, "MALLOC_PERTURB_": fill, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        seen.append(run.stdout)
    assert seen[0] == seen[1]
    assert len({line.split()[1] for line in seen[0].splitlines()}) > 20
