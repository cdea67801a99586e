from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.images.read import read_image

Command = Callable[..., Any]
Write = Callable[..., Path]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(np.int32)


@pytest.mark.parametrize("kind", ["gaussian:10", "camera:0.004", "camera:reduced"])
@pytest.mark.parametrize("size", [(40, 56), (5, 33), (1, 1)])
def test_the_noisy_image_lands_beside_the_clean_one(
    command: Command, write_photo: Write, kind: str, size: tuple[int, int]
):
    source = write_photo("photo.png", size)
    before = source.read_bytes()
    outcome = command("noise", "photo.png", "--kind", kind)
    assert outcome.code == 0, outcome.err
    assert outcome.out == ""
    assert outcome.only_error.endswith("photo_noisy.png")
    assert source.read_bytes() == before
    target = source.with_stem("photo_noisy")
    assert pixels(target).shape == (*size, 3)
    if size != (1, 1):
        assert 2 < (pixels(target) - pixels(source)).std() < 60


def test_the_noise_is_of_the_level_that_was_asked_for(command: Command, tmp_path: Path):
    Image.fromarray(np.full((128, 128, 3), 128, np.uint8)).save(tmp_path / "flat.png")
    command("noise", "flat.png", "--kind", "gaussian:20")
    added = pixels(tmp_path / "flat_noisy.png") - 128
    assert added.std() == pytest.approx(20, rel=0.02)
    assert abs(added.mean()) < 0.5


@pytest.mark.parametrize("kind", ["gaussian:25", "camera"])
def test_the_seed_decides_the_bytes(command: Command, write_photo: Write, kind: str):
    folder = write_photo("a.png").parent
    for name, seed in (("x.png", 7), ("y.png", 7), ("z.png", 8)):
        outcome = command("noise", "a.png", "--kind", kind, "--seed", seed, "-o", name)
        assert outcome.code == 0, outcome.err
    x, y, z = ((folder / name).read_bytes() for name in ("x.png", "y.png", "z.png"))
    assert x == y != z


@pytest.mark.parametrize("kind", ["gaussian:25", "camera:0.004"])
def test_what_is_not_color_stays(command: Command, tmp_path: Path, kind: str):
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (20, 30, 4), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=exif, dpi=(300, 300), icc_profile=b"profile" * 20)
    assert command("noise", "a.png", "--kind", kind).code == 0
    clean, noisy = (read_image(tmp_path / name) for name in ("a.png", "a_noisy.png"))
    assert noisy.metadata == clean.metadata
    assert noisy.metadata.exif
    np.testing.assert_array_equal(noisy.alpha, clean.alpha)  # type: ignore[arg-type]
    assert not np.array_equal(noisy.pixels, clean.pixels)


def test_gray_stays_gray(command: Command, write_photo: Write):
    source = write_photo("gray.png", mode="L")
    assert command("noise", "gray.png", "--kind", "gaussian:25").code == 0
    assert Image.open(source.with_stem("gray_noisy")).mode == "L"


def test_a_camera_has_no_gray_noise(command: Command, write_photo: Write):
    source = write_photo("gray.png", mode="L")
    outcome = command("noise", "gray.png", "--kind", "camera")
    assert outcome.code == 1
    assert re.search(r"gray\.png: .*camera.*colors; .*gaussian.*RGB", outcome.only_error)
    assert not source.with_stem("gray_noisy").exists()


def test_a_result_that_is_there_is_refused(command: Command, write_photo: Write):
    write_photo("a.png")
    taken = write_photo("a_noisy.png")
    before = taken.read_bytes()
    outcome = command("noise", "a.png", "--kind", "gaussian:25")
    assert outcome.code == 2
    assert outcome.only_error.startswith("kerasdenoise: a_noisy.png: already exists; add --over")
    assert taken.read_bytes() == before
    assert command("noise", "a.png", "--kind", "gaussian:25", "--overwrite").code == 0
    assert taken.read_bytes() != before


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["a.png", "--kind", "gausian"], 2, "did you mean 'gaussian'?"),
        (["a.png", "--kind", "gaussian:300"], 2, "within 0-255"),
        (["a.png"], 2, "--kind"),
        (["a.png", "--kind", "gaussian:25", "--seed", "-1"], 2, "--seed"),
        (["none.png", "--kind", "gaussian:25"], 1, "none.png: no such file"),
        ([".", "--kind", "gaussian:25"], 2, "is a folder"),
        (
            ["a.png", "--kind", "gaussian:25", "-o", "a.xyz"],
            2,
            "files ending in .xyz cannot be written",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    command: Command, write_photo: Write, args: list[str], code: int, message: str
):
    folder = write_photo("a.png").parent
    outcome = command("noise", *args)
    assert outcome.code == code
    assert message in outcome.only_error
    assert outcome.out == ""
    assert [path.name for path in folder.iterdir()] == ["a.png"]
