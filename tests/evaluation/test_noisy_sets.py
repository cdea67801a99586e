from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.evaluation.noisy_sets import (
    SIGMA,
    Corrupted,
    Corruption,
    EightBit,
    Pairs,
    find_images,
    find_pairs,
    make_noisy,
)

Write = Callable[..., Path]


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_images_are_listed_by_name_without_hidden_ones_and_folders(tmp_path: Path):
    touch(tmp_path, "b.PNG", "a.webp", "._a.webp", "notes.txt", "c.tif", "below/d.png", "e.png/f")
    assert [file.name for file in find_images(tmp_path)] == ["a.webp", "b.PNG", "c.tif"]


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["b_real.JPG", "b_mean.JPG", "a_mean.png", "a_real.jpg"], ["a_real.jpg", "b_real.JPG"]),
        (["a_real_real.png", "a_real_mean.png"], ["a_real_real.png"]),
        (["noisy/y.png", "noisy/x.jpg", "clean/x.jpg", "clean/y.png"], ["x.jpg", "y.png"]),
        (["noisy/x.png", "clean/x.png", "other.png"], ["x.png"]),
    ],
)
def test_pairs_are_found_by_name(tmp_path: Path, names: list[str], pairs: list[str]):
    found = find_pairs(touch(tmp_path, *names))
    assert [noisy.name for noisy, _ in found] == pairs
    for noisy, clean in found:
        assert noisy != clean
        assert clean.parent.name in (tmp_path.name, "clean")
        assert clean.stem == noisy.stem or clean.stem == noisy.stem[: -len("real")] + "mean"


@pytest.mark.parametrize(
    ("names", "unpaired"),
    [
        (["a_real.png", "a_mean.png", "b_real.png"], ["b_real.png"]),
        (["a_real.png", "a_mean.png", "b_mean.png"], ["b_mean.png"]),
        (["a_real.png", "a_mean.png", "c.png"], ["c.png"]),
        (["a_real.png", "a_real.jpg", "a_mean.png"], ["a_real.jpg", "a_real.png", "a_mean.png"]),
        (["noisy/a.png", "clean/a.png", "clean/b.png"], ["b.png"]),
        (["noisy/a.png", "clean/a.jpg"], ["noisy/a.png", "clean/a.jpg"]),
        (["noisy/a.png"], ["clean: no such folder"]),
    ],
)
def test_what_has_no_partner_is_named(tmp_path: Path, names: list[str], unpaired: list[str]):
    with pytest.raises(UsageError) as caught:
        find_pairs(touch(tmp_path, *names))
    for name in unpaired:
        assert str(Path(name)) in str(caught.value)
    for name in names:
        named = name in str(caught.value)
        assert named == any(name.endswith(each) for each in unpaired) or len(names) == 1
    assert caught.value.remedy


def test_a_pair_is_read_as_it_is(write_photo: Write):
    noisy, clean = write_photo("noisy/a.png"), write_photo("clean/a.png", mode="RGB")
    sample = Pairs([(noisy, clean)]).load(0)
    assert sample.noisy.shape == sample.clean.shape == (40, 56, 3)
    np.testing.assert_array_equal(sample.noisy, sample.clean)
    assert Pairs([(noisy, clean)], gray=True).load(0).clean.shape == (40, 56, 1)


@pytest.mark.parametrize(
    ("size", "mode", "message"),
    [
        ((40, 57), "RGB", "is 57 x 40 pixels in color and b.png 56 x 40 pixels in color"),
        ((40, 56), "L", "is 56 x 40 pixels in gray and b.png 56 x 40 pixels in color"),
    ],
)
def test_a_pair_that_differs_is_refused(
    write_photo: Write, size: tuple[int, int], mode: str, message: str
):
    with pytest.raises(InputError, match=message):
        Pairs([(write_photo("a.png", size, mode), write_photo("b.png"))]).load(0)


def test_gray_is_luma_and_changes_no_gray_image(write_photo: Write):
    files = [write_photo("color.png"), write_photo("gray.png", mode="L")]
    plain, gray = (Corrupted(files, Corruption("gaussian:0"), gray=gray) for gray in (False, True))
    color = plain.load(0).clean
    expected = color @ np.array([0.299, 0.587, 0.114], np.float32)
    np.testing.assert_allclose(gray.load(0).clean[..., 0], expected, atol=1e-6)
    np.testing.assert_array_equal(gray.load(1).clean, plain.load(1).clean)


def test_noise_belongs_to_a_seed_and_a_position(write_photo: Write):
    files = [write_photo(name) for name in ("a.png", "b.png")]  # of the same content
    corruption = Corruption("gaussian:25")

    def noisy(seed: int, index: int) -> np.ndarray:
        return Corrupted(files, corruption, seed).load(index).noisy

    np.testing.assert_array_equal(noisy(0, 1), noisy(0, 1))
    drawn = [noisy(seed, index) for seed in (0, 1) for index in (0, 1)]
    for first in range(4):
        for second in range(first):
            assert np.abs(drawn[first] - drawn[second]).mean() > 0.05


def test_noise_is_what_a_file_can_hold(tmp_path: Path):
    path = tmp_path / "gray.png"
    Image.fromarray(np.full((64, 64), 128, np.uint8)).save(path)
    for gray, channels in ((False, 3), (True, 1)):
        sample = EightBit("set", [path], gray).load(0)
        assert sample.clean.shape == sample.noisy.shape == (64, 64, channels)
        steps = 255 * sample.noisy
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
        assert np.std(sample.noisy - sample.clean) == pytest.approx(SIGMA, rel=0.05)


def test_the_noise_of_a_picture_is_always_the_same(write_photo: Callable[..., Path]):
    files = [write_photo("a.png"), write_photo("b.png")]
    first, second = (EightBit("set", files).load(index) for index in range(2))
    np.testing.assert_array_equal(first.clean, second.clean)
    assert (first.noisy != second.noisy).any()
    again = EightBit("set", files).load(0)
    np.testing.assert_array_equal(again.noisy, first.noisy)


@pytest.mark.parametrize(
    ("text", "multiple"), [("gaussian:25", 1), ("camera", 16), ("camera:reduced", 16)]
)
def test_it_is_noise_for_one_image(text: str, multiple: int):
    corruption = Corruption(text)
    assert (corruption.label, corruption.multiple) == (text, multiple)
    clean = np.full((multiple * 2, multiple * 3, 3), 0.5, np.float32)
    first, again, other = (corruption(clean, seed) for seed in (2**32 - 1, 2**32 - 1, 0))
    assert (first.dtype, first.shape) == (np.float32, clean.shape)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, clean)


def test_gray_takes_gaussian_but_no_camera_noise():
    gray = np.full((16, 16, 1), 0.5, np.float32)
    assert Corruption("gaussian:25")(gray, 0).shape == gray.shape
    with pytest.raises(InputError, match=r"a\.png: .*gray.*; .*gaussian"):
        Corruption("camera")(gray, 0, name="a.png")


def test_an_unknown_kind_is_refused():
    with pytest.raises(UsageError, match="did you mean 'camera'"):
        Corruption("camra")


def test_a_photo_is_made_of_noise_of_that_strength():
    pixels = make_noisy(130, 70)
    assert pixels.shape == (130, 70, 3)
    assert pixels.dtype == np.uint8
    # Neighbors differ by the noise of both, and by little else.
    differences = np.diff(pixels.astype(np.float64), axis=0)
    assert np.std(differences) == pytest.approx(255 * SIGMA * np.sqrt(2), rel=0.1)
