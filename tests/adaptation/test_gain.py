from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.adaptation.gain import Gain, measure_gain
from kerasdenoise.training.tasks.self_supervised import hide_pixels

SIGMA = 0.1


def blur(width: int) -> keras.Model:
    """A mean of so many pixels a side."""
    noisy = keras.Input((None, None, 1))
    return keras.Model(noisy, keras.layers.AveragePooling2D(width, 1, "same")(noisy))


@pytest.fixture(scope="module")
def flat() -> np.ndarray:
    """Noisy crops of one gray."""
    noise = np.random.default_rng(0).normal(0, SIGMA, (12, 64, 64, 1))
    return (0.5 + noise).astype(np.float32)


def test_the_difference_is_that_of_the_errors_from_the_clean_photo(flat: np.ndarray):
    gain = measure_gain(hide_pixels, blur(1), blur(5), flat, SIGMA)
    assert gain.is_better
    # One pixel is hidden behind the mean of its neighbors: of twelve shares, four have two each.
    before = SIGMA**2 * (4 * 2**2 + 4) / 12**2
    after = np.square(keras.ops.convert_to_numpy(blur(5)(flat)) - 0.5).mean()
    assert gain.before - gain.after == pytest.approx(before - after, rel=0.2)
    assert gain.before == pytest.approx(SIGMA**2 + before, rel=0.05)


def test_the_same_network_gains_nothing(flat: np.ndarray):
    gain = measure_gain(hide_pixels, blur(5), blur(5), flat, SIGMA)
    assert gain.before == gain.after
    assert not gain.is_better
    assert not measure_gain(hide_pixels, blur(5), blur(1), flat, SIGMA).is_better


@pytest.mark.parametrize(
    ("after", "error", "is_better"),
    [(0.0099, 2e-5, True), (0.0099, 5e-5, False), (0.009999, 1e-8, False), (0.0101, 0.0, False)],
)
def test_neither_chance_nor_rounding_is_a_gain(after: float, error: float, is_better: bool):
    gain = Gain(0.01, after, error, SIGMA)
    assert gain.is_better == is_better
    assert f"{-10 * np.log10(after):.3f} dB after" in gain.describe()
