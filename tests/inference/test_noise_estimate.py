from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.images.read import read_image
from kerasdenoise.inference.noise_estimate import edginess, estimate_correlation, estimate_sigma

SAMPLES = Path(__file__).parents[2] / "docs" / "images"


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return read_image(SAMPLES / "sample_clean.png").pixels


def noise(shape: tuple[int, ...], *, correlated: bool = False) -> np.ndarray:
    """Gaussian noise of standard deviation 1, white or averaged over 3x3 pixels."""
    values = np.random.default_rng(0).normal(size=shape)
    if not correlated:
        return values
    for axis in (0, 1):
        values = np.sum([np.roll(values, shift, axis) for shift in (-1, 0, 1)], axis=0)
    return values / 3


def haar_median(pixels: np.ndarray) -> float:
    """The usual estimate, which holds for white noise alone."""
    even = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
    pairs = even[::2] - even[1::2]
    return 1.4826 * float(np.median(np.abs(pairs[:, ::2] - pairs[:, 1::2]) / 2))


def test_edginess_by_hand():
    # Down: |4-1| + |0-2|; right: |2-1| + |0-4|.
    pixels = np.array([[1, 2], [4, 0]], np.float32)[..., np.newaxis]
    assert edginess(pixels, per_pixel=False) == 10
    assert edginess(pixels) == 10 / 4


def test_edginess_of_a_ramp_is_its_slope():
    ramp = np.broadcast_to(np.arange(11.0)[:, np.newaxis, np.newaxis] / 10, (11, 7, 3))
    assert edginess(ramp, per_pixel=False) == pytest.approx(7)  # each column climbs from 0 to 1


def test_edginess_is_the_mean_over_channels():
    pixels = np.random.default_rng(0).random((9, 8, 3))
    each = [edginess(pixels[..., channel : channel + 1]) for channel in range(3)]
    assert edginess(pixels) == pytest.approx(np.mean(each))


@pytest.mark.parametrize("shape", [(1, 1, 3), (40, 30, 1)])
def test_what_is_even_has_no_edges(shape: tuple[int, ...]):
    assert edginess(np.full(shape, 0.3, np.float32)) == 0


def test_noise_raises_edginess_and_blur_lowers_it(clean: np.ndarray):
    blurred = (clean + np.roll(clean, 1, axis=0) + np.roll(clean, 1, axis=1)) / 3
    levels = [edginess(clean + sigma * noise(clean.shape)) for sigma in (0, 0.02, 0.1, 0.2)]
    assert levels == sorted(levels)
    assert edginess(blurred) < levels[0] < levels[-1] / 5


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("level", [5, 10, 25, 50])
def test_white_noise_on_a_photo_is_found(clean: np.ndarray, level: int, channels: int):
    pixels = clean[..., :channels]
    noisy = pixels + level / 255 * noise(pixels.shape)
    assert 255 * estimate_sigma(noisy) == pytest.approx(level, rel=0.05)


@pytest.mark.parametrize("level", [5, 25])
def test_rounding_and_clipping_change_little(clean: np.ndarray, level: int):
    noisy = np.clip(clean + level / 255 * noise(clean.shape), 0, 1)
    stored = np.round(255 * noisy).astype(np.float32) / np.float32(255)
    assert 255 * estimate_sigma(stored) == pytest.approx(level, rel=0.08)


@pytest.mark.parametrize("level", [10, 20])
def test_correlated_noise_is_not_missed(clean: np.ndarray, level: int):
    noisy = clean + level / 255 * noise(clean.shape, correlated=True)
    assert 0.75 * level < 255 * estimate_sigma(noisy) < 1.4 * level
    assert 255 * haar_median(noisy) < 0.6 * level


def test_the_sample_photo_is_noisier_than_its_clean_one(clean: np.ndarray):
    noisy = read_image(SAMPLES / "sample_noisy.jpg").pixels
    true = float(np.std(noisy - clean))
    assert estimate_sigma(noisy) == pytest.approx(true, rel=0.2)
    assert estimate_sigma(clean) < true / 5


def test_clipped_flats_do_not_hide_the_noise():
    # Two thirds of the sky are burnt out.
    noisy = np.full((96, 96, 3), 0.5) + 0.08 * noise((96, 96, 3))
    noisy[:64] = 1
    assert estimate_sigma(noisy) == pytest.approx(0.08, rel=0.05)


def test_a_slope_is_no_noise():
    down, across = np.mgrid[:64, :80] / 80
    slope = np.stack([down, across, 1 - down], axis=-1) * 0.8 + 0.1
    assert estimate_sigma(slope) < 1e-6
    assert estimate_sigma(slope + 0.04 * noise(slope.shape)) == pytest.approx(0.04, rel=0.05)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(16, 16, 1), (40, 50, 3)])
def test_what_is_even_has_no_noise(value: float, shape: tuple[int, ...]):
    assert estimate_sigma(np.full(shape, value, np.float32)) == pytest.approx(0, abs=1e-7)


def test_one_block_is_enough():
    block = 0.5 + 0.1 * noise((16, 16, 3))
    assert estimate_sigma(block) == pytest.approx(0.1, rel=0.15)


def test_pixels_that_make_no_block_do_not_matter():
    pixels = 0.5 + 0.1 * noise((35, 50, 3))
    changed = pixels.copy()
    changed[32:] = changed[:, 48:] = 0.9
    assert estimate_sigma(changed) == estimate_sigma(pixels)


@pytest.mark.parametrize("shape", [(15, 40, 3), (40, 15, 1), (1, 1, 3)])
def test_noise_needs_room_for_a_block(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="at least 16"):
        estimate_sigma(np.zeros(shape))


def test_white_noise_is_not_correlated(clean: np.ndarray):
    noisy = clean + noise(clean.shape) * 20 / 255
    assert np.abs(estimate_correlation(noisy)).max() < 0.1


def test_the_correlation_of_averaged_noise_by_hand(clean: np.ndarray):
    # A mean of three shares two values with the next one, and one with that after it.
    noisy = clean + noise(clean.shape, correlated=True) * 20 / 255
    down, across = estimate_correlation(noisy)
    for found in (down, across):
        np.testing.assert_allclose(found[:2], [2 / 3, 1 / 3], atol=0.12)
        assert np.abs(found[2:]).max() < 0.15


@pytest.mark.parametrize("axis", [0, 1])
def test_noise_in_lines_is_correlated_along_them(clean: np.ndarray, axis: int):
    shape = tuple(1 if i == axis else size for i, size in enumerate(clean.shape))
    found = estimate_correlation(clean + noise(shape) * 20 / 255)
    assert found[axis].min() > 0.8
    assert np.abs(found[1 - axis]).max() < 0.3


def test_correlation_is_measured_in_integers_of_the_file(clean: np.ndarray):
    noisy = (clean + noise(clean.shape) * 20 / 255).clip(0, 1)
    integers = np.rint(65535 * noisy).astype(np.uint16)
    expected = estimate_correlation(noisy)
    np.testing.assert_allclose(estimate_correlation(integers), expected, atol=1e-3)


def test_an_image_without_noise_has_no_correlation():
    assert not estimate_correlation(np.full((32, 32, 3), 0.5)).any()


def test_correlation_needs_a_block():
    with pytest.raises(ValueError, match="at least 16 pixels"):
        estimate_correlation(np.zeros((15, 40, 3)))
