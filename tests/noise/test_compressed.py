from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import Compressed, parse_noise

# Smooth, so that compression alone changes little.
CLEAN = np.broadcast_to(np.linspace(0.2, 0.8, 32, dtype=np.float32)[:, None, None], (6, 32, 32, 3))


def drawn(text: str, seed: int = 0) -> np.ndarray:
    return np.asarray(parse_noise(text)(CLEAN, keras.random.SeedGenerator(seed)))


def test_without_noise_little_is_lost():
    assert np.abs(drawn("compressed:0") - CLEAN).max() < 0.05


def test_noise_goes_through_compression():
    noise = drawn("compressed:25") - CLEAN
    assert 0.05 < noise.std() < 0.15
    # Independent channels have as much noise in their difference as in their sum; compression
    # takes more of the color.
    red, green = noise[..., 0], noise[..., 1]
    assert (red - green).std() < 0.95 * (red + green).std()


def test_pixels_are_those_of_a_file():
    noisy = drawn("compressed:55", seed=3)
    assert noisy.min() >= 0
    assert noisy.max() <= 1


def test_the_level_is_read():
    assert parse_noise("compressed:10-20") == Compressed(10 / 255, 20 / 255)
    with pytest.raises(UsageError, match="compressed:x"):
        parse_noise("compressed:x")
