from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import Speckle, parse_noise


def noisy(noise: Speckle, value: float, shape: tuple[int, ...] = (4, 128, 128, 3)) -> np.ndarray:
    clean = np.full(shape, value, np.float32)
    return keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))


@pytest.mark.parametrize("variance", [0.01, 0.04])
@pytest.mark.parametrize("value", [0.1, 0.4])
def test_it_grows_with_the_pixel(variance: float, value: float):
    drawn = noisy(Speckle(variance, variance), value)
    assert drawn.mean() == pytest.approx(value, rel=0.005)
    assert drawn.std() == pytest.approx(value * np.sqrt(variance), rel=0.02)


def test_it_is_clipped():
    drawn = noisy(Speckle(), 0.9)
    assert drawn.max() == 1.0
    # Values above 1 / 0.9 - 1 = 0.111 are lost: 36 % of N(0, 0.1).
    assert (drawn == 1.0).mean() == pytest.approx(0.363, abs=0.01)
    assert drawn.mean() < 0.9
    assert noisy(Speckle(1.0, 1.0), 0.5).min() == 0.0
    assert np.median(drawn) == pytest.approx(0.9, abs=0.005)


def test_black_has_no_noise():
    assert (noisy(Speckle(), 0.0) == 0).all()


def test_each_image_draws_its_variance():
    drawn = noisy(Speckle(0.0, 0.1), 0.2, (200, 32, 32, 1))
    variances = np.sort((drawn / 0.2).var(axis=(1, 2, 3)))
    np.testing.assert_allclose(variances, np.linspace(0, 0.1, 200), atol=0.012)


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("speckle", Speckle(0.1, 0.1)),
        ("speckle:0.05", Speckle(0.05, 0.05)),
        ("speckle:0.05-0.2", Speckle(0.05, 0.2)),
    ],
)
def test_a_text_names_it(text: str, noise: Speckle):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("argument", ["-1", "1.5", "x", "0.2-0.1"])
def test_what_names_none_is_refused(argument: str):
    with pytest.raises(UsageError, match=r"number.* range .*0-1"):
        parse_noise(f"speckle:{argument}")
