"""What a network changes of a photo's tone is bounded by what noise can explain."""

from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.inference.tone import CELL, REACH, WINDOW, keep_tone

# Deviation of the mean of white noise of deviation 1 under the window.
MEAN_OF_NOISE = 1 / (2 * np.sqrt(np.pi) * WINDOW)


def _window_means(values: np.ndarray) -> np.ndarray:
    reach = 3 * int(WINDOW)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / WINDOW) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        values = np.apply_along_axis(np.convolve, axis, values, taps, "valid")
    return values


def _noisy(side: int = 256) -> np.ndarray:
    return np.random.default_rng(0).random((side, side, 3), dtype=np.float32)


def test_noise_is_removed_as_it_was():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.1, (256, 256, 3)).astype(np.float32)
    noisy = 0.5 + noise
    denoised = keep_tone(noisy, noisy - noise)
    # What stays is a share of the mean that noise has by chance.
    assert (denoised - 0.5).std() < 0.65 * 0.1 * MEAN_OF_NOISE


@pytest.mark.parametrize("strength", [0.02, 0.1, 0.5])
def test_a_tint_is_taken_back(strength: float):
    rng = np.random.default_rng(1)
    noisy = _noisy()
    removed = rng.normal(0, strength, noisy.shape).astype(np.float32)
    change = _window_means(keep_tone(noisy, noisy - removed + 0.05) - noisy)
    found = np.hypot(strength, 0.05)
    assert np.abs(change).max() < 3 * found * MEAN_OF_NOISE
    assert np.abs(change.mean()) < min(found * MEAN_OF_NOISE, 1 / 255)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_integers_keep_their_mean_at_black_and_white(target: float):
    """A clipped result cannot be corrected by adding: white would go beyond white."""
    pattern = (np.indices((96, 96)).sum(axis=0) % 4 == 0).astype(np.float32)
    noisy = np.repeat(pattern[..., None], 3, axis=2)
    denoised = noisy + 0.3 * (target - noisy)
    kept = keep_tone(noisy, denoised, bounded=True)
    assert kept.min() >= 0
    assert kept.max() <= 1
    assert np.abs((kept - noisy).mean(axis=(0, 1))).max() < 1 / 255


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (12, 12), (16, 5), (40, 40)])
def test_a_small_picture_keeps_its_mean(size: tuple[int, int]):
    rng = np.random.default_rng(2)
    sides = [-(-side // CELL) * CELL + 2 * REACH for side in size]
    noisy, denoised = rng.random((2, *sides, 3), dtype=np.float32)
    inside = slice(REACH, REACH + size[0]), slice(REACH, REACH + size[1])
    kept = keep_tone(noisy, denoised, inside, bounded=True)
    assert np.abs((kept - noisy)[inside].mean(axis=(0, 1))).max() < 1 / 255


def test_what_lies_beyond_its_reach_changes_nothing():
    rng = np.random.default_rng(3)
    noisy, denoised = rng.random((2, 160, 168, 3), dtype=np.float32)
    whole = keep_tone(noisy, denoised)
    rows, columns = slice(16, 152), slice(24, 160)
    part = keep_tone(noisy[rows, columns], denoised[rows, columns])
    inner = slice(REACH, -REACH)
    np.testing.assert_array_equal(part[inner, inner], whole[rows, columns][inner, inner])


def test_reflected_pixels_do_not_count():
    rng = np.random.default_rng(4)
    noisy, denoised = rng.random((2, 128, 128, 3), dtype=np.float32)
    inside = slice(48, 128), slice(48, 128)
    expected = keep_tone(noisy, denoised, inside)
    noisy[:48], denoised[:48] = 0.0, 1.0
    np.testing.assert_array_equal(keep_tone(noisy, denoised, inside)[inside], expected[inside])
