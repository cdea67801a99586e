from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from scipy import ndimage

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import Blur, Inpainting, Pixelate, parse_noise

CLEAN = np.random.default_rng(0).random((2, 21, 34, 3), np.float32)


def blurred(noise: Blur, clean: np.ndarray = CLEAN) -> np.ndarray:
    return keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))


def window(noise: Blur) -> np.ndarray:
    """What becomes of a single point: (61, 61)."""
    point = np.zeros((1, 61, 61, 1), np.float32)
    point[0, 30, 30] = 1
    return blurred(noise, point)[0, ..., 0]


@pytest.mark.parametrize("width", [1, 3, 9, 31])
def test_an_odd_box_is_scipys_of_blur(width: int):
    expected = ndimage.uniform_filter(CLEAN, width, mode="mirror", axes=(1, 2))
    np.testing.assert_allclose(blurred(Blur(width, width)), expected, atol=1e-6)


@pytest.mark.parametrize("width", [3, 9, 15])
def test_a_gaussian_is_scipys_of_blur(width: int):
    deviation = math.sqrt((width**2 - 1) / 12)
    expected = ndimage.gaussian_filter(
        CLEAN, deviation, axes=(1, 2), mode="mirror", radius=math.ceil(4 * deviation)
    )
    np.testing.assert_allclose(blurred(Blur(width, width, True)), expected, atol=1e-6)


@pytest.mark.parametrize("gaussian", [False, True])
def test_both_windows_have_the_same_second_moment_of_blur(gaussian: bool):
    places = np.arange(-30, 31)
    line = window(Blur(9, 9, gaussian)).sum(axis=0)
    assert (line * places**2).sum() == pytest.approx((81 - 1) / 12, rel=0.002)


def test_a_box_between_odd_widths_covers_parts_of_pixels_of_blur():
    line = window(Blur(4, 4)).sum(axis=0)
    np.testing.assert_allclose(line[27:34], [0, 0.125, 0.25, 0.25, 0.25, 0.125, 0], atol=1e-6)


@pytest.mark.parametrize("gaussian", [False, True])
def test_a_width_of_one_is_no_blur(gaussian: bool):
    np.testing.assert_allclose(blurred(Blur(0.5, 1, gaussian)), CLEAN, atol=1e-6)


def test_each_image_draws_its_width_of_blur():
    points = np.zeros((100, 33, 33, 1), np.float32)
    points[:, 16, 16] = 1
    peaks = blurred(Blur(1, 9), points)[:, 16, 16, 0]
    widths = np.sort(1 / np.sqrt(peaks))
    # Kolmogorov and Smirnov's distance of 100 draws is above 0.195 once in a thousand times.
    np.testing.assert_allclose(widths, np.linspace(1, 9, 100), atol=0.195 * 8)


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("blur", Blur(9, 9)),
        ("blur:3", Blur(3, 3)),
        ("blur:1-15", Blur(1, 15)),
        ("blur:gaussian", Blur(9, 9, True)),
        ("blur:gaussian:5", Blur(5, 5, True)),
    ],
)
def test_a_text_names_blur(text: str, noise: Blur):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("argument", ["100", "-3", "box:3", "gaussian9", "gaussian:x"])
def test_what_names_no_blur_is_refused(argument: str):
    with pytest.raises(UsageError, match=r"number.* range .*0-99"):
        parse_noise(f"blur:{argument}")


def missing(noise: Inpainting, shape: tuple[int, ...]) -> np.ndarray:
    """Which values were set to 0; the others must be as they were."""
    clean = np.random.default_rng(0).uniform(0.1, 1, shape).astype(np.float32)
    noisy = keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))
    np.testing.assert_array_equal(noisy[noisy != 0], clean[noisy != 0])
    return noisy == 0


@pytest.mark.parametrize("fraction", [0.1, 0.5, 1.0])
@pytest.mark.parametrize(("height", "width"), [(20, 30), (17, 11), (1, 1)])
def test_a_rectangle_of_that_size_is_missing_of_inpainting(
    fraction: float, height: int, width: int
):
    mask = missing(Inpainting(fraction, fraction), (16, height, width, 3))
    for image in mask:
        assert (image == image[..., :1]).all()
        rows, columns = image[..., 0].any(axis=1), image[..., 0].any(axis=0)
        np.testing.assert_array_equal(image[..., 0], np.outer(rows, columns))
        # NumPy rounds to even as Keras does.
        tall, wide = (round(float(np.float32(fraction) * side)) for side in (height, width))
        if tall and wide:
            assert (rows.sum(), columns.sum()) == (tall, wide)
        for line in (rows, columns):
            assert np.abs(np.diff(line.astype(int))).sum() <= 2  # in one piece
        if not tall or not wide:
            assert not image.any()


def test_inpainting_may_lie_anywhere_within():
    mask = missing(Inpainting(0.5, 0.5), (3000, 8, 4, 1))[..., 0]
    starts = [tuple(np.argwhere(image)[0]) for image in mask]
    assert set(starts) == {(y, x) for y in range(5) for x in range(3)}
    number = np.unique(starts, axis=0, return_counts=True)[1]
    assert number.min() > 140  # of 200 expected


def test_no_fraction_is_nothing_missing_of_inpainting():
    assert not missing(Inpainting(0.0, 0.0), (4, 9, 9, 3)).any()


def test_each_image_draws_its_fraction_of_inpainting():
    shares = missing(Inpainting(0.1, 0.5), (300, 40, 40, 1)).mean(axis=(1, 2, 3))
    fractions = np.sort(np.sqrt(shares))
    # Kolmogorov and Smirnov's distance of 300 draws is above 0.113 once in a thousand times.
    np.testing.assert_allclose(fractions, np.linspace(0.1, 0.5, 300), atol=0.113 * 0.4 + 0.013)


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("inpainting", Inpainting(0.5, 0.5)),
        ("inpainting:0.2", Inpainting(0.2, 0.2)),
        ("inpainting:0.1-0.5", Inpainting(0.1, 0.5)),
    ],
)
def test_a_text_names_inpainting(text: str, noise: Inpainting):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("argument", ["2", "-1", "x"])
def test_what_names_no_inpainting_is_refused(argument: str):
    with pytest.raises(UsageError, match=r"number.* range .*0-1"):
        parse_noise(f"inpainting:{argument}")


def coarse(cell: int, clean: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(Pixelate(cell)(clean, keras.random.SeedGenerator(0)))


@pytest.mark.parametrize("cell", [1, 2, 4, 7])
@pytest.mark.parametrize("size", [(8, 12), (17, 23), (3, 4), (1, 1)])
def test_every_cell_has_its_own_mean_of_pixelate(cell: int, size: tuple[int, int]):
    clean = np.random.default_rng(0).random((2, *size, 3), np.float32)
    expected = np.empty_like(clean)
    for y in range(0, size[0], cell):
        for x in range(0, size[1], cell):
            place = np.s_[:, y : y + cell, x : x + cell]
            expected[place] = clean[place].mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(coarse(cell, clean), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "noise"),
    [("pixelate", Pixelate(4)), ("pixelate:1", Pixelate(1)), ("pixelate:256", Pixelate(256))],
)
def test_a_text_names_pixelate(text: str, noise: Pixelate):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("argument", ["0", "257", "2.5", "-4", "x", "2-4", "²"])
def test_what_names_no_pixelate_is_refused(argument: str):
    with pytest.raises(UsageError, match=r"whole number.*1-256"):
        parse_noise(f"pixelate:{argument}")
