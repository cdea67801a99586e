from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.noise import Gaussian, Noise, parse_noise


def drawn(noise: Noise, clean: np.ndarray, seed: int = 0) -> np.ndarray:
    noisy = keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(seed)))
    assert noisy.dtype == np.float32
    assert noisy.shape == clean.shape
    return noisy


@pytest.mark.parametrize("channels", [1, 3])
def test_one_level_is_that_level_for_every_image(channels: int):
    clean = np.full((8, 128, 128, channels), 0.5, np.float32)
    added = drawn(parse_noise("gaussian:25"), clean) - clean
    deviations = added.std(axis=(1, 2, 3)) * 255
    # The standard deviation of a sample's standard deviation is sigma / sqrt(2 n).
    np.testing.assert_allclose(deviations, 25, atol=5 * 25 / np.sqrt(2 * 128 * 128 * channels))
    assert abs(added.mean()) < 5 * 25 / 255 / np.sqrt(added.size)


def test_levels_are_uniform_in_their_range():
    clean = np.zeros((400, 32, 32, 1), np.float32)
    low, high = 0.1, 0.3
    deviations = np.sort(drawn(Gaussian(low, high), clean).std(axis=(1, 2, 3)))
    assert deviations[0] > 0.95 * low
    assert deviations[-1] < 1.05 * high
    expected = low + (high - low) * (np.arange(400) + 0.5) / 400
    # Kolmogorov and Smirnov's distance of 400 draws is above 0.1 once in a thousand times.
    assert np.abs(deviations - expected).max() < 0.1 * (high - low)


def test_it_is_normal_and_white():
    added = drawn(Gaussian(0.2, 0.2), np.zeros((1, 256, 256, 3), np.float32))[0] / 0.2
    assert (added**4).mean() == pytest.approx(3.0, abs=0.1)
    for shifted in (added[1:] * added[:-1], added[:, 1:] * added[:, :-1], added * added[..., ::-1]):
        flat = shifted[..., 0]
        assert abs(flat.mean()) < 5 / np.sqrt(flat.size)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_is_clipped(value: float):
    clean = np.full((1, 128, 128, 3), value, np.float32)
    added = drawn(Gaussian(0.1, 0.1), clean) - clean
    assert added.min() < -0.3
    assert added.max() > 0.3
    assert abs(added.mean()) < 0.003


def test_no_noise_changes_nothing():
    clean = np.random.default_rng(0).random((2, 5, 7, 3), np.float32)
    np.testing.assert_array_equal(drawn(Gaussian(0.0, 0.0), clean), clean)


def test_the_seed_decides_the_noise():
    clean = np.zeros((2, 9, 11, 3), np.float32)
    first, again, other = (drawn(Gaussian(0.1, 0.2), clean, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).min() > 0
    assert np.abs(first[0] - first[1]).min() > 0


def test_a_generator_never_repeats_itself():
    clean = np.zeros((1, 9, 11, 3), np.float32)
    generator = keras.random.SeedGenerator(0)
    first, second = (keras.ops.convert_to_numpy(Gaussian()(clean, generator)) for _ in range(2))
    assert np.abs(first - second).min() > 0


def test_noise_of_pixels_is_the_same_in_all_channels():
    clean = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    added = drawn(parse_noise("gaussian:pixel:25"), clean) - clean
    np.testing.assert_allclose(added[..., 0], added[..., 2], atol=1e-6)
    assert added[..., 0].std() == pytest.approx(25 / 255, rel=0.1)


def test_noise_in_lines_is_the_same_along_rows_or_along_columns():
    clean = np.random.default_rng(0).random((40, 24, 32, 3), np.float32)
    added = drawn(parse_noise("gaussian:lines:25"), clean) - clean
    in_rows, in_columns = (np.ptp(added, axis=axis).max(axis=(1, 2)) < 1e-6 for axis in (2, 1))
    np.testing.assert_array_equal(in_rows, ~in_columns)
    assert 8 < in_rows.sum() < 32
    assert added.std() == pytest.approx(25 / 255, rel=0.1)
    red, blue = added[in_rows][:, :, 0, 0], added[in_rows][:, :, 0, 2]
    assert abs(np.corrcoef(red.ravel(), blue.ravel())[0, 1]) < 0.2
