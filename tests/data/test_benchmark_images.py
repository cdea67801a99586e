from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from kerasdenoise.data.benchmark_images import BenchmarkImages
from kerasdenoise.data.sources import load_images
from kerasdenoise.errors import RecipeError

SIZES = {"10.png": (12, 20), "9.png": (17, 11), "deep/1.png": (8, 8), "z.tif": (9, 30)}


@pytest.fixture
def photos(write_photo: Callable, tmp_path: Path) -> Path:
    """A folder of color photos of different sizes, one of them in a folder of its own."""
    for name, size in SIZES.items():
        write_photo(f"photos/{name}", size)
    return tmp_path / "photos"


def _prepare(folder: Path, prepared: Path, **choices: Any) -> None:
    BenchmarkImages(folder, data_dir=prepared, **choices).download_and_prepare()


def _read(prepared: Path, name: str) -> list[dict]:
    """Reads as TensorFlow Datasets does when it knows the files alone."""
    folder = prepared / "benchmark_images" / name / "1.0.0"
    builder = tfds.builder_from_directory(folder)
    return list(tfds.as_numpy(builder.as_dataset(split="test")))  # pyright: ignore[reportCallIssue]


def test_images_keep_names_order_and_pixels(photos: Path, prepared: Path):
    _prepare(photos, prepared)
    examples = _read(prepared, "photos")
    assert [example["file_name"].decode() for example in examples] == list(SIZES)
    for example in examples:
        pixels = np.asarray(Image.open(photos / example["file_name"].decode()))
        np.testing.assert_array_equal(example["image"], pixels)


def test_webp_is_read(photos: Path, prepared: Path):
    Image.open(photos / "9.png").save(photos / "9.webp", lossless=True)
    _prepare(photos, prepared)
    png, webp = (e["image"] for e in _read(prepared, "photos") if e["file_name"].startswith(b"9"))
    np.testing.assert_array_equal(webp, png)


@pytest.mark.parametrize(
    ("modes", "channels", "stored"),
    [(["L", "L"], None, 1), (["L", "RGB"], None, 3), (["RGB", "RGB"], 1, 1), (["L", "L"], 3, 3)],
)
def test_a_set_is_gray_if_all_images_are_or_if_asked_for(
    write_photo: Callable,
    tmp_path: Path,
    prepared: Path,
    modes: list[str],
    channels: int | None,
    stored: int,
):
    for number, mode in enumerate(modes):
        write_photo(f"set/{number}.png", (12, 20), mode)
    _prepare(tmp_path / "set", prepared, channels=channels)
    assert {example["image"].shape for example in _read(prepared, "set")} == {(12, 20, stored)}


def test_sets_stand_side_by_side(photos: Path, prepared: Path):
    _prepare(photos, prepared)
    _prepare(photos / "deep", prepared, config="other")
    assert len(_read(prepared, "photos")) == 4
    assert len(_read(prepared, "other")) == 1


def test_a_prepared_set_is_a_source_of_a_recipe(photos: Path, prepared: Path, tmp_path: Path):
    _prepare(photos, prepared)
    source = "tfds:benchmark_images/photos:test"
    images = load_images([source], tmp_path)
    for image, expected in zip(images, load_images(["photos"], tmp_path), strict=True):
        np.testing.assert_array_equal(image, expected)
    (first, second) = load_images([f"{source}[:2]"], tmp_path, channels=1)
    assert (first.shape, second.shape) == ((12, 20, 1), (17, 11, 1))
    left = load_images([source], tmp_path, exclude=["9.png", "1.png"])
    assert [image.shape[:2] for image in left] == [SIZES["10.png"], SIZES["z.tif"]]


def test_a_folder_without_images_is_refused(tmp_path: Path, prepared: Path):
    with pytest.raises(RecipeError, match=r"gone: .*folder"):
        BenchmarkImages(tmp_path / "gone", data_dir=prepared)


def test_a_damaged_image_is_refused_and_nothing_left_behind(photos: Path, prepared: Path):
    (photos / "9.png").write_bytes((photos / "9.png").read_bytes()[:200])
    with pytest.raises(RecipeError, match=r"9\.png: .*decoded"):
        _prepare(photos, prepared)
    assert not (prepared / "benchmark_images" / "photos" / "1.0.0").exists()
