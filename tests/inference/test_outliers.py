"""Lamps, missing data and hidden colors do not show in the pixels beside them."""

from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise import Denoiser
from kerasdenoise.inference.outliers import fill, find_limits, find_missing

SIDE = 128
SIGMA = 0.02


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    return Denoiser("photo_tiny")


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.4 + SIGMA * rng.normal(size=(SIDE, SIDE, 3))).astype(np.float32)


def _distance() -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE)) - SIDE // 2
    return np.hypot(rows, columns)


@pytest.mark.parametrize("brightness", [50.0, 20_000.0])
def test_a_lamp_does_not_darken_its_surroundings(
    denoiser: Denoiser, scene: np.ndarray, brightness: float
):
    lit = scene.copy()
    lit[_distance() < 8] = brightness
    denoised = denoiser.denoise_pixels(lit)
    around = _distance() > 12
    assert denoised[around].min() > 0.4 - 4 * SIGMA
    assert np.abs(denoised - 0.4)[around].max() < 4 * SIGMA
    np.testing.assert_allclose(denoised[_distance() < 6], brightness, rtol=0.02)


def test_a_hot_pixel_stays_alone(denoiser: Denoiser, scene: np.ndarray):
    dark = scene - 0.38
    hot = dark.copy()
    hot[50, 60] = 65_535.0
    denoised = denoiser.denoise_pixels(hot)
    np.testing.assert_allclose(denoised[50, 60], 65_535.0, rtol=1e-3)
    difference = np.abs(denoised - denoiser.denoise_pixels(dark))
    difference[50, 60] = 0
    assert difference.max() < 4 * SIGMA


@pytest.mark.parametrize("value", [-9999.0, -3.4e38])
def test_missing_data_stays_and_does_not_show_beside_it(
    denoiser: Denoiser, scene: np.ndarray, value: float
):
    holed = scene.copy()
    holed[:, :40] = value
    denoised = denoiser.denoise_pixels(holed)
    assert (denoised[:, :40] == np.float32(value)).all()
    assert denoised[:, 40:].std() < 0.5 * SIGMA
    assert abs(denoised[:, 40:].mean() - 0.4) < 1 / 255


@pytest.mark.parametrize("value", [-9999.0, -3.4e38])
def test_an_image_without_data_stays_as_it_is(denoiser: Denoiser, value: float):
    empty = np.full((16, 16, 3), value, np.float32)
    np.testing.assert_array_equal(denoiser.denoise_pixels(empty), empty)


@pytest.mark.parametrize("value", [20_000.0, -9999.0])
def test_the_level_is_estimated_as_without_lamp_or_hole(scene: np.ndarray, value: float):
    denoiser = Denoiser("photo")
    expected = np.median(denoiser.estimate_noise(scene))
    odd = scene.copy()
    odd[_distance() < 8] = value
    assert np.median(denoiser.estimate_noise(odd)) == pytest.approx(expected, rel=0.1)
    assert denoiser.estimate_noise(odd).max() < 1


def test_hidden_colors_do_not_bleed(denoiser: Denoiser, scene: np.ndarray):
    results = []
    for hidden in ((0, 0, 0), (255, 0, 255)):
        picture = np.full((SIDE, SIDE, 4), 255, np.uint8)
        picture[..., :3] = np.rint(255 * scene)
        picture[:, :50] = (*hidden, 0)
        results.append(denoiser(picture))
        np.testing.assert_array_equal(results[-1][:, :50], picture[:, :50])
    np.testing.assert_array_equal(results[0][:, 50:], results[1][:, 50:])


def test_fill_takes_the_nearest_means():
    pixels = np.zeros((9, 7, 1), np.uint8)
    missing = np.ones((9, 7), bool)
    pixels[8, 6], missing[8, 6] = 200, False
    assert (fill(pixels, missing) == 200).all()


def test_noise_around_black_is_not_missing():
    noisy = np.random.default_rng(0).normal(0.02, 0.2, (64, 64, 3)).astype(np.float32)
    assert find_missing(noisy, find_limits(noisy)) is None


def test_integers_have_no_limits():
    assert find_limits(np.full((4, 4, 3), 255, np.uint8)) is None
