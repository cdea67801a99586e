from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.adaptation.crops import cut_crops, read_crops, write_crops
from kerasdenoise.adaptation.survey import Photo
from kerasdenoise.errors import UsageError
from kerasdenoise.images.read import read_image

Shoot = Callable[..., list[Path]]


def known(files: list[Path]) -> list[Photo]:
    """Photos as a survey lists them, without measuring them."""
    images = [read_image(file) for file in files]
    return [
        Photo(file, None, image.format, image.bit_depth, image.pixels.shape, 0.1, np.zeros(0), 0.0)  # pyright: ignore
        for file, image in zip(files, images, strict=True)
    ]


def test_every_fifth_photo_is_held_out(shoot: Shoot):
    photos = known(shoot("white", 6, size=(64, 128)))
    crops = cut_crops(photos, 3, 0)
    expected = halves(read_image(photos[4].file, exact=True).pixels)
    assert crops.learned.dtype == np.uint8
    assert crops.learned.shape == (10, 64, 64, 3)
    # Each place once.
    held_out = {crop.tobytes() for crop in crops.held_out}
    assert len(crops.held_out) == 2
    assert held_out == expected
    assert not held_out & {crop.tobytes() for crop in crops.learned}


def test_a_single_photo_is_judged_by_its_lower_quarter(tmp_path: Path):
    # Values of pixels that say in which row they are.
    rows = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 128, axis=1)
    Image.fromarray(np.repeat(rows[..., np.newaxis], 3, axis=2)).save(tmp_path / "a.png")
    crops = cut_crops(known([tmp_path / "a.png"]), 3, 0)
    assert crops.learned.shape[1:] == (64, 64, 3)
    assert crops.learned.max() < 192 <= crops.held_out.min()


def test_gray_photos_become_three_channels_and_colors_become_gray_ones(tmp_path: Path):
    gray = np.random.default_rng(0).integers(0, 256, (64, 128), np.uint8)
    Image.fromarray(gray).save(tmp_path / "a.png")
    color = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    Image.fromarray(color).save(tmp_path / "b.png")
    photos = known([tmp_path / "a.png", tmp_path / "b.png"])
    wide = cut_crops(photos, 3, 0).learned
    assert (wide == wide[..., :1]).all()
    assert {crop[..., 0].tobytes() for crop in wide} == halves(gray)
    single = cut_crops(photos, 1, 0).held_out
    expected = set.union(*(halves(color[..., i]) for i in range(3)))
    assert {crop.tobytes() for crop in single} == expected


def halves(pixels: np.ndarray) -> set[bytes]:
    """The left and the right half of 64 x 128 pixels."""
    return {half.tobytes() for half in np.split(pixels, 2, axis=1)}


def test_a_single_crop_to_judge_by_is_refused(shoot: Shoot):
    with pytest.raises(UsageError, match=r"one crop of 64 pixels.*more of them"):
        cut_crops(known(shoot("white", 2, size=(64, 64))), 3, 0)


def test_photos_of_more_bits_become_floats(shoot: Shoot):
    crops = cut_crops(known(shoot("white", 2, suffix=".tif")), 3, 0)
    assert crops.learned.dtype == np.float32
    assert 0 < crops.learned.mean() < 0.1


def test_the_seed_decides_and_the_archive_holds_it(shoot: Shoot, tmp_path: Path):
    photos = known(shoot("white", 2, size=(80, 140)))
    crops, again, other = (cut_crops(photos, 3, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(crops.learned, again.learned)
    assert not np.array_equal(crops.learned, other.learned)
    write_crops(tmp_path / "crops.npz", crops)
    kept = read_crops(tmp_path / "crops.npz")
    np.testing.assert_array_equal(kept.learned, crops.learned)
    np.testing.assert_array_equal(kept.held_out, crops.held_out)


def test_a_photo_that_leaves_too_little_is_refused(shoot: Shoot):
    with pytest.raises(UsageError, match=r"24 pixels.*larger photo"):
        cut_crops(known(shoot("white", 1)), 3, 0)


def test_a_damaged_archive_is_refused(tmp_path: Path):
    (tmp_path / "crops.npz").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"crops\.npz.*--run"):
        read_crops(tmp_path / "crops.npz")
