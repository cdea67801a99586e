from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from scipy import ndimage

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import Blur, parse_noise

CLEAN = np.random.default_rng(0).random((2, 21, 34, 3), np.float32)


def blurred(noise: Blur, clean: np.ndarray = CLEAN) -> np.ndarray:
    return keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))


def window(noise: Blur) -> np.ndarray:
    """What becomes of a single point: (61, 61)."""
    point = np.zeros((1, 61, 61, 1), np.float32)
    point[0, 30, 30] = 1
    return blurred(noise, point)[0, ..., 0]


@pytest.mark.parametrize("width", [1, 3, 9, 31])
def test_an_odd_box_is_scipys(width: int):
    expected = ndimage.uniform_filter(CLEAN, (0, width, width, 0), mode="mirror")
    np.testing.assert_allclose(blurred(Blur(width, width)), expected, atol=1e-6)


@pytest.mark.parametrize("width", [3, 9, 15])
def test_a_gaussian_is_scipys(width: int):
    deviation = math.sqrt((width**2 - 1) / 12)
    expected = ndimage.gaussian_filter(
        CLEAN, deviation, axes=(1, 2), mode="mirror", radius=math.ceil(4 * deviation)
    )
    np.testing.assert_allclose(blurred(Blur(width, width, True)), expected, atol=1e-6)


@pytest.mark.parametrize("gaussian", [False, True])
def test_both_windows_have_the_same_second_moment(gaussian: bool):
    places = np.arange(-30, 31)
    line = window(Blur(9, 9, gaussian)).sum(axis=0)
    assert (line * places**2).sum() == pytest.approx((81 - 1) / 12, rel=0.002)


def test_a_box_between_odd_widths_covers_parts_of_pixels():
    line = window(Blur(4, 4)).sum(axis=0)
    np.testing.assert_allclose(line[27:34], [0, 0.125, 0.25, 0.25, 0.25, 0.125, 0], atol=1e-6)


@pytest.mark.parametrize("gaussian", [False, True])
def test_a_width_of_one_is_no_blur(gaussian: bool):
    np.testing.assert_allclose(blurred(Blur(0.5, 1, gaussian)), CLEAN, atol=1e-6)


def test_each_image_draws_its_width():
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
def test_a_text_names_it(text: str, noise: Blur):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("argument", ["100", "-3", "box:3", "gaussian9", "gaussian:x"])
def test_what_names_none_is_refused(argument: str):
    with pytest.raises(UsageError, match=r"number.* range .*0-99"):
        parse_noise(f"blur:{argument}")
