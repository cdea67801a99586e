from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.data.sources import load_images
from kerasdenoise.errors import RecipeError, UsageError
from kerasdenoise.tuning.data import Data, choose_data


@pytest.fixture(autouse=True)
def nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set is prepared, and the working folder is empty."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data_sets"))
    monkeypatch.delenv("KERASDENOISE_DATA", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def _load(data: Data) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return tuple(  # pyright: ignore[reportReturnType]
        load_images(sources, Path(), exclude=data.exclude)
        for sources in (data.train, data.validation)
    )


def _check_apart(data: Data, train: int, validation: int) -> None:
    """As many images as that, and none in both."""
    trained, measured = _load(data)
    assert (len(trained), len(measured)) == (train, validation)
    assert not {i.tobytes() for i in trained} & {i.tobytes() for i in measured}


def _write_photos(folder: Path, count: int) -> None:
    from PIL import Image

    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (40, 30), (number, 2 * number, 9)).save(folder / f"{number:02}.png")


def test_some_images_of_a_folder_are_kept_for_measuring(tmp_path: Path):
    _write_photos(tmp_path / "photos", 20)
    data = choose_data(str(tmp_path / "photos"), tmp_path / "study")
    _check_apart(data, 18, 2)
    assert data.description.startswith("18 images of ")


def test_the_last_images_of_an_array_are_kept_for_measuring(tmp_path: Path):
    images = np.arange(30 * 48, dtype=np.uint8).reshape(30, 4, 4, 3)
    images[:, 0, 0, 0] = np.arange(30)
    np.savez(tmp_path / "a.npz", other=images[:1], pictures=images)
    data = choose_data(f"{tmp_path / 'a.npz'}:pictures", tmp_path / "study")
    _check_apart(data, 27, 3)


def test_a_folder_that_is_divided_stays_so(tmp_path: Path):
    _write_photos(tmp_path / "photos/train/a", 5)
    _write_photos(tmp_path / "photos/validation", 3)
    data = choose_data(str(tmp_path / "photos"), tmp_path / "study")
    assert tuple(map(len, _load(data))) == (5, 3)


def test_parts_of_a_data_set_are_named(tmp_path: Path):
    data = choose_data("tfds:oxford_iiit_pet", tmp_path)
    assert data.train == ("tfds:oxford_iiit_pet:train[:-64]",)
    assert data.validation == ("tfds:oxford_iiit_pet:train[-64:]",)


def test_without_anything_there_the_sample_is_used(tmp_path: Path):
    data = choose_data(None, tmp_path / "study")
    trained, measured = _load(data)
    assert [image.shape for image in trained + measured] == [(300, 300, 3), (300, 151, 3)]
    assert "sample" in data.description


def test_photos_that_are_there_come_before_the_sample():
    _write_photos(Path("data/train"), 2)
    _write_photos(Path("data/validation"), 1)
    assert choose_data(None, Path("study")).description.startswith("2 photos of data/train")


def test_photos_are_looked_for_where_the_environment_says(monkeypatch: pytest.MonkeyPatch):
    _write_photos(Path("elsewhere/train"), 3)
    _write_photos(Path("elsewhere/validation"), 1)
    monkeypatch.setenv("KERASDENOISE_DATA", "elsewhere")
    assert choose_data(None, Path("study")).description.startswith("3 photos of elsewhere/train")


def test_cifar10_that_is_prepared_comes_first(tmp_path: Path):
    _write_photos(Path("data/train"), 2)
    _write_photos(Path("data/validation"), 1)
    info = tmp_path / "data_sets/cifar10/3.0.2/dataset_info.json"
    info.parent.mkdir(parents=True)
    info.write_text("{}", "utf-8")
    data = choose_data(None, Path("study"))
    assert data.train == ("tfds:cifar10:train[:10000]",)
    assert data.validation == ("tfds:cifar10:train[-64:]",)


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ("gone", RecipeError, "gone: is not a folder"),
        ("empty", RecipeError, "empty: contains no images"),
        ("single", UsageError, "single: contains only one image"),
        ("gone.npz:x", RecipeError, "gone.npz: cannot be read"),
        ("tfds:cifar10:train[:5]", UsageError, "is only part of a split"),
    ],
)
def test_too_little_is_refused(
    write_photo: Callable, tmp_path: Path, asked: str, error: type[Exception], message: str
):
    Path("empty").mkdir()
    write_photo("here/single/a.png")
    with pytest.raises(error, match=message):
        choose_data(asked, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_images_of_an_earlier_start_are_not_measured_on(tmp_path: Path):
    _write_photos(tmp_path / "photos", 20)
    choose_data(str(tmp_path / "photos"), tmp_path / "study")
    before = sorted((tmp_path / "study/measured_on").iterdir())
    _write_photos(tmp_path / "others", 10)
    with pytest.raises(UsageError, match=r"earlier start; .*remove"):
        choose_data(str(tmp_path / "others"), tmp_path / "study")
    assert sorted((tmp_path / "study/measured_on").iterdir()) == before


def test_a_part_of_an_array_is_refused(tmp_path: Path):
    np.savez(tmp_path / "a.npz", x=np.zeros((9, 4, 4, 3), np.uint8))
    with pytest.raises(UsageError, match="part of an array"):
        choose_data(f"{tmp_path / 'a.npz'}:x[:4]", tmp_path / "study")
