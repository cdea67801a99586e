from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.data.sources import list_images, load_photos
from kerasdenoise.errors import RecipeError


def test_images_are_listed_folder_by_folder_and_sorted(write_photo: Callable, tmp_path: Path):
    for name in ("b/2.png", "b/deep/1.PNG", "a/3.jpg", "a/1.webp"):
        write_photo(name)
    (tmp_path / "a/notes.txt").write_text("not a photo", "utf-8")
    listed = list_images([tmp_path / "b", tmp_path / "a"])
    assert [file.relative_to(tmp_path).as_posix() for file in listed] == [
        "b/2.png",
        "b/deep/1.PNG",
        "a/1.webp",
        "a/3.jpg",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [("gone", "is not a folder"), ("bare", "holds no image"), ("bare/a.txt", "is not a folder")],
)
def test_a_folder_without_photos_is_refused(tmp_path: Path, name: str, said: str):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/a.txt").write_text("not a photo", "utf-8")
    with pytest.raises(RecipeError) as caught:
        list_images([tmp_path / name])
    assert str(caught.value).startswith(f"{tmp_path / name}: {said}; ")


def test_pixels_are_those_of_the_file(write_photo: Callable):
    path = write_photo("a.png", (30, 50))
    (photo,) = load_photos([path])
    assert photo.dtype == np.uint8
    np.testing.assert_array_equal(photo, np.asarray(Image.open(path)))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK"])
def test_any_mode_becomes_rgb(tmp_path: Path, mode: str):
    Image.new("RGB", (20, 10), (102, 102, 102)).convert(mode).save(tmp_path / "a.tif")
    (photo,) = load_photos([tmp_path / "a.tif"])
    assert photo.shape == (10, 20, 3)
    assert np.ptp(photo) <= 2
    assert abs(int(photo[0, 0, 0]) - 102) <= 2


def test_each_photo_is_there_at_each_scale(write_photo: Callable):
    photos = load_photos([write_photo("a.png", (30, 50)), write_photo("b.png", (40, 20))], [1, 0.5])
    assert [photo.shape for photo in photos] == [(30, 50, 3), (15, 25, 3), (40, 20, 3), (20, 10, 3)]


def test_a_reduced_photo_is_smoother(write_photo: Callable):
    full, half = load_photos([write_photo("a.png", (60, 60))], [1.0, 0.5])
    assert half.std() < 0.8 * full.std()
    assert half.mean() == pytest.approx(full.mean(), abs=2)


def test_versions_that_are_too_small_are_left_out(write_photo: Callable):
    photos = load_photos([write_photo("a.png", (30, 50))], [1.0, 0.5, 0.25], smallest=15)
    assert [photo.shape[:2] for photo in photos] == [(30, 50), (15, 25)]
