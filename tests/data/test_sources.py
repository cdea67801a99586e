from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.data.sources import list_images, load_images
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
    [
        ("gone", "is not a folder"),
        ("bare", "contains no images"),
        ("bare/a.txt", "is not a folder"),
    ],
)
def test_a_folder_without_photos_is_refused(tmp_path: Path, name: str, said: str):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/a.txt").write_text("not a photo", "utf-8")
    with pytest.raises(RecipeError) as caught:
        list_images([tmp_path / name])
    assert str(caught.value).startswith(f"{tmp_path / name}: {said}; ")


def test_pixels_are_those_of_the_file(write_photo: Callable, tmp_path: Path):
    path = write_photo("photos/a.png", (30, 50))
    (photo,) = load_images(["photos"], tmp_path)
    assert photo.dtype == np.uint8
    np.testing.assert_array_equal(photo, np.asarray(Image.open(path)))


def test_sources_are_read_in_the_order_they_are_named(write_photo: Callable, tmp_path: Path):
    write_photo("a/1.png", (30, 50))
    write_photo("b/1.png", (31, 50))
    np.savez(tmp_path / "c.npz", pictures=np.zeros((2, 8, 9, 3), np.uint8))
    images = load_images(["b", "c.npz:pictures", "a"], tmp_path)
    assert [image.shape[:2] for image in images] == [(31, 50), (8, 9), (8, 9), (30, 50)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_any_mode_becomes_what_the_model_takes(tmp_path: Path, mode: str, channels: int):
    level = 255 if mode == "1" else 102
    Image.new("RGB", (20, 10), (level, level, level)).convert(mode).save(tmp_path / "a.tif")
    (photo,) = load_images(["."], tmp_path, channels=channels)
    assert photo.shape == (10, 20, channels)
    assert np.ptp(photo) <= 2
    assert abs(int(photo[0, 0, 0]) - level) <= 2


def test_gray_is_the_luma_of_the_colors(write_photo: Callable, tmp_path: Path):
    color = np.asarray(Image.open(write_photo("a.png", (30, 50)))).astype(float)
    (gray,) = load_images(["."], tmp_path, channels=1)
    np.testing.assert_allclose(gray[..., 0], color @ [0.299, 0.587, 0.114], atol=0.501)


def test_gray_of_16_bits_is_refused_rather_than_cut_off(tmp_path: Path):
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(RecipeError, match=r"deep\.png: .*gray.*8 bits; save"):
        load_images(["."], tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a photo", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_image_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(RecipeError, match=r"a\.png: .*decoded .*; .*exclude"):
        load_images(["."], tmp_path)


def test_a_damaged_photo_is_refused(write_photo: Callable, tmp_path: Path):
    path = write_photo("a.png", (30, 50))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(RecipeError, match=r"a\.png: .*decoded"):
        load_images(["."], tmp_path)


def test_files_are_left_out_by_name(write_photo: Callable, tmp_path: Path):
    for number, name in enumerate(("a.png", "b.png", "deep/a.png")):
        write_photo(name, (30, 50 + number))
    (photo,) = load_images(["."], tmp_path, exclude=["a.png"])
    assert photo.shape == (30, 51, 3)


def test_each_photo_is_there_at_each_scale(write_photo: Callable, tmp_path: Path):
    write_photo("a.png", (30, 50))
    write_photo("b.png", (40, 20))
    for channels in (3, 1):
        photos = load_images(["."], tmp_path, channels=channels, scales=[1.0, 0.5])
        assert [photo.shape[:2] for photo in photos] == [(30, 50), (15, 25), (40, 20), (20, 10)]
        assert {photo.shape[2] for photo in photos} == {channels}


def test_a_reduced_photo_is_smoother(write_photo: Callable, tmp_path: Path):
    write_photo("a.png", (60, 60))
    full, half = load_images(["."], tmp_path, scales=[1.0, 0.5])
    assert half.std() < 0.8 * full.std()
    assert half.mean() == pytest.approx(full.mean(), abs=2)


def test_versions_that_are_too_small_are_left_out(write_photo: Callable, tmp_path: Path):
    write_photo("a.png", (30, 50))
    photos = load_images(["."], tmp_path, scales=[1.0, 0.5, 0.25], smallest=15)
    assert [photo.shape[:2] for photo in photos] == [(30, 50), (15, 25)]


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_other_than_gray_and_rgb_is_refused(tmp_path: Path, channels: int):
    with pytest.raises(RecipeError, match=f"channels {channels}: are neither gray nor RGB"):
        load_images(["."], tmp_path, channels=channels)


@pytest.mark.parametrize(("form", "kept"), [((), 1), ((1,), 1), ((3,), 3), ((4,), 3)])
def test_arrays_are_gray_or_color_with_or_without_transparency(
    tmp_path: Path, form: tuple[int, ...], kept: int
):
    pictures = np.random.default_rng(0).integers(0, 256, (5, 8, 9, *form), np.uint8)
    np.savez(tmp_path / "a.npz", pictures=pictures)
    images = load_images(["a.npz:pictures"], tmp_path, channels=kept)
    np.testing.assert_array_equal(images, pictures.reshape(5, 8, 9, -1)[..., :3])


@pytest.mark.parametrize(
    ("part", "taken"),
    [
        ("[:3]", slice(3)),
        ("[:40%]", slice(2)),
        ("[20%:]", slice(1, None)),
        ("[1:60%]", slice(1, 3)),
        ("[:9]", slice(5)),
        ("", slice(None)),
    ],
)
def test_of_an_array_a_part_can_be_taken(tmp_path: Path, part: str, taken: slice):
    pictures = np.random.default_rng(0).integers(0, 256, (5, 8, 9, 3), np.uint8)
    np.savez(tmp_path / "a.npz", pictures=pictures, others=pictures)
    images = load_images([f"a.npz:pictures{part}"], tmp_path)
    np.testing.assert_array_equal(images, pictures[taken])


def test_an_array_is_turned_to_gray_and_back(tmp_path: Path):
    pictures = np.full((2, 8, 9, 3), (200, 100, 50), np.uint8)
    np.savez(tmp_path / "color.npz", a=pictures)
    np.savez(tmp_path / "gray.npz", a=np.full((2, 8, 9), 124, np.uint8))
    (first, _) = load_images(["color.npz:a"], tmp_path, channels=1)
    np.testing.assert_array_equal(first, np.full((8, 9, 1), 124))
    (first, _) = load_images(["gray.npz:a"], tmp_path, channels=3)
    np.testing.assert_array_equal(first, np.full((8, 9, 3), 124))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_archives_of_more_bits_stay_as_they_are(tmp_path: Path, dtype: type):
    images = np.random.default_rng(0).integers(0, 999, (2, 8, 9, 3)).astype(dtype)
    np.savez(tmp_path / "a.npz", a=images)
    found = load_images(["a.npz:a"], tmp_path)
    assert found[0].dtype == dtype
    np.testing.assert_array_equal(found, images)
    choices: list[dict[str, Any]] = [{"channels": 1}, {"scales": (0.5,)}]
    for options in choices:
        with pytest.raises(RecipeError, match="cannot be scaled, or converted"):
            load_images(["a.npz:a"], tmp_path, **options)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a.npz", r"a\.npz: .*several arrays; .*images, labels"),
        ("a.npz:gone", r"a\.npz: .*no array 'gone'; .*images, labels"),
        ("a.npz:labels", r"a\.npz:labels: .*no images; .*uint8"),
        ("a.npz:floats", r"a\.npz:floats: .*no images; .*uint8"),
        ("a.npz:pairs", r"a\.npz:pairs: .*no images; .*uint8"),
        ("gone.npz:a", r"gone\.npz: .*read .*; .*numpy\.savez"),
        ("text.npz:a", r"text\.npz: .*read .*; .*numpy\.savez"),
        ("code.npz:a", r"code\.npz: .*read .*; .*numpy\.savez"),
    ],
)
def test_archives_that_cannot_be_used_are_refused(tmp_path: Path, source: str, said: str):
    np.savez(
        tmp_path / "a.npz",
        images=np.zeros((2, 8, 9, 3), np.uint8),
        labels=np.zeros(2, np.uint8),
        floats=np.zeros((2, 8, 9, 3), np.float64),
        pairs=np.zeros((2, 8, 9, 2), np.uint8),
    )
    (tmp_path / "text.npz").write_text("not an archive", "utf-8")
    np.savez(tmp_path / "code.npz", a=np.array([{}], object))
    with pytest.raises(RecipeError, match=said):
        load_images([source], tmp_path)


def test_tensorflow_datasets_is_imported_only_if_named(tmp_path: Path):
    np.savez(tmp_path / "a.npz", a=np.zeros((2, 8, 9, 3), np.uint8))
    code = (
        "import sys; from pathlib import Path; from kerasdenoise.data.sources import load_images; "
        "load_images(['a.npz:a'], Path()); print('tensorflow_datasets' in sys.modules)"
    )
    said = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True)
    assert said == "False\n"
