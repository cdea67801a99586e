from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from kerasdenoise.noise import Camera, Gaussian, Noise
from kerasdenoise.noise.bayer import to_mosaic
from kerasdenoise.noise.camera import _linear_to_tone, _saturate, _tone_to_linear

# All that follows the sensor switched off, but for the demosaic.
RAW = Camera(
    gamma=(1, 1),
    contrast=(1, 1),
    gain=(1, 1),
    saturation=(1, 1),
    smoothing=(0, 0),
    compressed=0.0,
)


def raw(shot: float) -> Camera:
    return dataclasses.replace(RAW, shot=(shot, shot))


def drawn(noise: Noise, clean: np.ndarray, seed: int = 0) -> np.ndarray:
    noisy = keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(seed)))
    assert noisy.dtype == np.float32
    assert noisy.shape == clean.shape
    return noisy


def flat(value: float, batch: int = 1, side: int = 256) -> np.ndarray:
    return np.full((batch, side, side, 3), value, np.float32)


def factor(value: float) -> np.ndarray:
    return np.full((1, 1, 1, 1), value, np.float32)


def correlation(noise: np.ndarray, axis: int) -> float:
    """Of neighbors along an axis of (batch, height, width, channels), of one channel."""
    one = np.moveaxis(noise[..., 1], axis, 0)
    return float(np.corrcoef(one[1:].ravel(), one[:-1].ravel())[0, 1])


@pytest.mark.parametrize("shot", [0.0005, 0.002, 0.006])
def test_variance_grows_with_the_light_as_shot_noise_does(shot: float):
    values = np.linspace(0.15, 0.7, 8).astype(np.float32)
    bands = np.repeat(values, 64)[None, :, None, None]
    clean = np.broadcast_to(bands, (1, 512, 512, 3))
    added = keras.ops.convert_to_numpy(to_mosaic(drawn(raw(shot), clean) - clean))
    # Per band, over the places that were measured: 4 * 32 * 256 independent draws.
    variances = added.reshape(8, 32, 256, 4).var(axis=(1, 2, 3))
    slope, read = np.polyfit(values, variances, 1)
    assert slope == pytest.approx(shot, rel=0.06)
    # Read noise scatters around exp(1.6 log(shot) + 0.3) by a factor of exp(0.4) a deviation.
    assert abs(np.log(read) - (1.6 * np.log(shot) + 0.3)) < 4 * 0.4
    np.testing.assert_allclose(variances, slope * values + read, rtol=0.06)


def test_read_noise_scatters_between_images():
    shot = 0.002
    clean = flat(0.5, batch=200, side=64)
    added = keras.ops.convert_to_numpy(to_mosaic(drawn(raw(shot), clean) - clean))
    read = added.var(axis=(1, 2, 3)) - shot * 0.5
    expected = np.exp(1.6 * np.log(shot) + 0.3)
    assert np.median(read) == pytest.approx(expected, rel=0.35)


@pytest.mark.parametrize("value", [0.3, 0.5, 0.7])
def test_in_the_mid_tones_nothing_shifts(value: float):
    added = drawn(raw(0.002), flat(value)) - value
    assert np.abs(added.mean(axis=(0, 1, 2))).max() < 0.001


def test_a_demosaic_correlates_neighbors():
    # Each kind alone, as both are drawn in any proportion.
    added = drawn(raw(0.002), flat(0.5, batch=8, side=128)) - 0.5
    white = drawn(Gaussian(0.05, 0.05), flat(0.5, batch=8, side=128)) - 0.5
    for axis in (1, 2):
        assert correlation(added, axis) > 0.15
        assert abs(correlation(white, axis)) < 0.02


def test_smoothing_spreads_noise_and_sharpening_raises_it():
    weak, none, strong = (
        drawn(dataclasses.replace(raw(0.001), smoothing=(weight, weight)), flat(0.5, 4, 128)) - 0.5
        for weight in (0.9, 0.0, -0.2)
    )
    assert weak.std() < 0.7 * none.std() < none.std() < strong.std()
    assert correlation(weak, 1) > correlation(none, 1) > correlation(strong, 1)


def test_noise_is_independent_of_what_it_is_added_to_in_shape():
    # The picture's detail stays as sharp as it was: the noise alone is demosaiced.
    clean = np.zeros((1, 64, 64, 3), np.float32)
    clean[:, :, 32:] = 0.8
    mean = np.mean([drawn(raw(1e-5), clean, seed) for seed in range(4)], axis=0)
    np.testing.assert_allclose(mean, clean, atol=0.02)


def test_a_reduced_picture_has_less_noise():
    reduced = dataclasses.replace(raw(0.002), reduction=(0.6, 0.6))
    assert (drawn(reduced, flat(0.5)) - 0.5).std() < 0.8 * (
        drawn(raw(0.002), flat(0.5)) - 0.5
    ).std()


@pytest.mark.parametrize(
    "noise",
    [
        Camera(),
        Camera.parse("reduced"),
        Camera(compressed=1.0, subsampled=1.0),
        Camera(compressed=0.0),
    ],
    ids=["any", "reduced", "compressed", "not compressed"],
)
def test_a_picture_is_within_its_range_and_finite(noise: Camera):
    rng = np.random.default_rng(0)
    clean = rng.random((8, 48, 64, 3)).astype(np.float32)
    clean[:2] = np.rint(clean[:2])  # black, white and pure colors
    noisy = drawn(noise, clean)
    assert np.isfinite(noisy).all()
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert (noisy != clean).mean(axis=(1, 2, 3)).min() > 0.5


def test_the_seed_decides_the_noise():
    clean = flat(0.5, batch=2, side=32)
    first, again, other = (drawn(Camera(), clean, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5
    assert (first[0] != first[1]).mean() > 0.5


def test_compression_is_the_share_of_images_it_is_said_to_be():
    clean = flat(0.5, batch=200, side=16)
    noisy = drawn(dataclasses.replace(raw(0.01), compressed=0.3), clean)
    # Only what was compressed is a whole number of 255ths.
    whole = np.isclose(noisy * 255, np.rint(noisy * 255), atol=1e-3).all(axis=(1, 2, 3))
    assert whole.mean() == pytest.approx(0.3, abs=0.12)


@pytest.mark.parametrize("contrast", [1.0, 1.4])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.4])
def test_the_tone_curve_leads_back_and_forth(gamma: float, contrast: float):
    tones = np.linspace(0.0, 1.0, 256, dtype=np.float32).reshape(1, 16, 16, 1)
    linear = _tone_to_linear(tones, factor(gamma), factor(contrast))
    back = keras.ops.convert_to_numpy(_linear_to_tone(linear, factor(gamma), factor(contrast)))
    np.testing.assert_allclose(back.ravel()[1:], tones.ravel()[1:], atol=2e-4)
    assert back.ravel()[0] < 1 / 255
    assert (np.diff(keras.ops.convert_to_numpy(linear).ravel()) > 0).all()


def test_the_tone_curve_is_a_power_law():
    tones = np.linspace(0.1, 1.0, 16, dtype=np.float32).reshape(1, 4, 4, 1)
    linear = keras.ops.convert_to_numpy(_tone_to_linear(tones, factor(2.2), factor(1.0)))
    np.testing.assert_allclose(linear, tones**2.2, atol=1e-4)


def test_saturation_leads_back_and_forth_and_keeps_gray():
    colors = np.random.default_rng(0).random((1, 4, 4, 3)).astype(np.float32)
    strong = _saturate(colors, factor(1.6))
    assert np.ptp(strong, axis=-1) == pytest.approx(1.6 * np.ptp(colors, axis=-1), abs=1e-5)
    np.testing.assert_allclose(_saturate(strong, factor(1 / 1.6)), colors, atol=1e-6)
    gray = np.full((1, 2, 2, 3), 0.3, np.float32)
    np.testing.assert_allclose(_saturate(gray, factor(1.6)), gray, atol=1e-6)
