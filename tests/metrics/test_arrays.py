from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from kerasdenoise.metrics import psnr, ssim, warn_if_worse

SHAPES = [(11, 11, 3), (12, 31, 1), (64, 48, 3), (57, 83, 3), (40, 40, 1)]
LEVELS = [0.005, 0.1, 0.5]


def photo(shape: tuple[int, ...], sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture with an edge, and a noisy version that goes beyond [0, 1]."""
    rng = np.random.default_rng(shape[0])
    y, x, c = np.indices(shape) / 20
    clean = 0.5 + 0.3 * np.sin(x + c) * np.cos(y) + 0.2 * (x > y)
    noisy = clean + sigma * rng.normal(size=shape)
    return clean.astype(np.float32), noisy.astype(np.float32)


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_psnr_is_that_of_scikit_image(shape: tuple[int, ...], sigma: float):
    clean, noisy = (each.astype(np.float64) for each in photo(shape, sigma))
    expected = peak_signal_noise_ratio(clean, noisy, data_range=1.0)
    assert psnr(clean, noisy) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_ssim_is_that_of_scikit_image(shape: tuple[int, ...], sigma: float):
    clean, noisy = (each.astype(np.float64) for each in photo(shape, sigma))
    expected = structural_similarity(
        clean,
        noisy,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=-1,
    )
    assert ssim(clean, noisy) == pytest.approx(expected, abs=1e-6)


def test_single_precision_loses_nothing_that_shows():
    single = photo((40, 40, 3), 0.01)
    double = [each.astype(np.float64) for each in single]
    assert psnr(*single) == pytest.approx(psnr(*double), abs=1e-6)
    assert ssim(*single) == pytest.approx(ssim(*double), abs=1e-6)


def test_without_a_channel_axis_the_figures_are_the_same():
    clean, noisy = photo((30, 20, 1), 0.1)
    assert psnr(clean[..., 0], noisy[..., 0]) == psnr(clean, noisy)
    assert ssim(clean[..., 0], noisy[..., 0]) == pytest.approx(ssim(clean, noisy), abs=1e-12)


def test_equal_images_are_perfect():
    clean, _ = photo((20, 20, 3), 0.0)
    assert psnr(clean, clean) == math.inf
    assert ssim(clean, clean) == pytest.approx(1.0, abs=1e-12)


@given(st.floats(1e-3, 1.0), st.floats(0.5, 300.0))
def test_psnr_of_a_constant_error_is_its_decibels(error: float, peak: float):
    clean = np.zeros((3, 4, 3))
    assert psnr(clean, clean + error, peak=peak) == pytest.approx(20 * math.log10(peak / error))


def test_the_scale_of_values_is_that_of_the_peak():
    clean, noisy = photo((24, 24, 3), 0.1)
    assert psnr(255 * clean, 255 * noisy, peak=255.0) == pytest.approx(psnr(clean, noisy), abs=1e-5)
    assert ssim(255 * clean, 255 * noisy, peak=255.0) == pytest.approx(ssim(clean, noisy), abs=1e-5)


def test_more_noise_is_worse():
    figures = [(psnr(*photo((64, 64, 3), s)), ssim(*photo((64, 64, 3), s))) for s in LEVELS]
    assert figures == sorted(figures, reverse=True)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_order_does_not_matter(metric):
    clean, noisy = photo((24, 24, 3), 0.1)
    assert metric(clean, noisy) == pytest.approx(metric(noisy, clean))


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("other", [(20, 21, 3), (20, 20, 1), (20, 20)])
def test_other_shapes_are_refused(metric, other: tuple[int, ...]):
    with pytest.raises(ValueError, match="differ in shape"):
        metric(np.zeros((20, 20, 3)), np.zeros(other))


@pytest.mark.parametrize("shape", [(10, 40, 3), (40, 10, 1), (1, 1, 3)])
def test_ssim_needs_room_for_its_window(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="at least 11"):
        ssim(np.zeros(shape), np.zeros(shape))


def test_only_what_is_worse_than_its_input_is_warned_of():
    (line,) = warn_if_worse("gaussian:25", 20.17, 19.5)
    assert line.startswith("warning: gaussian:25: ")
    assert "19.50 dB" in line
    assert "noisy 20.17 dB" in line
    for noisy, denoised in ((20.0, 20.0), (20.0, 30.0), (math.nan, 20.0), (20.0, math.inf)):
        assert warn_if_worse("gaussian:25", noisy, denoised) == []
