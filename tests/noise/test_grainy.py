from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import Compressed, Film, parse_noise

# Smooth, so that compression alone changes little.
CLEAN = np.broadcast_to(np.linspace(0.2, 0.8, 32, dtype=np.float32)[:, None, None], (6, 32, 32, 3))

PLAIN = Film(10 / 255, 10 / 255, size=(3, 3), floor=(0.2, 0.2), color=(0, 0))


def drawn(text: str, seed: int = 0) -> np.ndarray:
    return np.asarray(parse_noise(text)(CLEAN, keras.random.SeedGenerator(seed)))


def test_without_noise_little_is_lost_of_compressed():
    assert np.abs(drawn("compressed:0") - CLEAN).max() < 0.05


def test_noise_goes_through_compression():
    noise = drawn("compressed:25") - CLEAN
    assert 0.05 < noise.std() < 0.15
    # Independent channels have as much noise in their difference as in their sum; compression
    # takes more of the color.
    red, green = noise[..., 0], noise[..., 1]
    assert (red - green).std() < 0.95 * (red + green).std()


def test_pixels_are_those_of_a_file_of_compressed():
    noisy = drawn("compressed:55", seed=3)
    assert noisy.min() >= 0
    assert noisy.max() <= 1


def test_the_level_is_read_of_compressed():
    assert parse_noise("compressed:10-20") == Compressed(10 / 255, 20 / 255)
    with pytest.raises(UsageError, match="compressed:x"):
        parse_noise("compressed:x")


def pair(noise: Film, clean: np.ndarray) -> list[np.ndarray]:
    both = noise.draw_pair(clean, keras.random.SeedGenerator(0))
    return [keras.ops.convert_to_numpy(part) for part in both]


def flat(value: float) -> np.ndarray:
    return np.full((8, 96, 96, 3), value, np.float32)


def grain(noise: Film, value: float = 0.5) -> np.ndarray:
    noisy, expected = pair(noise, flat(value))
    return noisy - expected


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


@pytest.mark.parametrize("size", [1.5, 2.5, 4.0])
def test_a_grain_is_as_wide_as_it_is_said_to_be_of_film(size: float):
    added = grain(Film(0.04, 0.04, size=(size, size), color=(0, 0)))[..., 0]
    assert added.std() == pytest.approx(0.04, rel=0.05)
    # A window of deviation w correlates pixels d apart by exp(-d^2 / 4 w^2).
    for distance in (1, 2, 4):
        expected = np.exp(-((distance * 2.355 / size) ** 2) / 4)
        for axis in (1, 2):
            moved = np.moveaxis(added, axis, 0)
            found = correlation(moved[distance:], moved[:-distance])
            assert found == pytest.approx(expected, abs=0.05)


def test_film_is_strongest_between_black_and_white():
    deviations = [grain(PLAIN, value).std() for value in (0.06, 0.25, 0.5, 0.75, 0.94)]
    assert deviations[2] == pytest.approx(10 / 255, rel=0.05)
    assert deviations[0] < deviations[1] < deviations[2] > deviations[3] > deviations[4]
    # The floor, and what half a circle has there.
    assert deviations[0] == pytest.approx(10 / 255 * (0.2 + 0.8 * 0.475), rel=0.08)


@pytest.mark.parametrize("color", [0.0, 0.2])
def test_film_is_gray_but_for_a_share(color: float):
    added = grain(Film(0.04, 0.04, size=(1, 1), color=(color, color)))
    assert correlation(added[..., 0], added[..., 2]) == pytest.approx(1 - color, abs=0.02)


def test_what_clipping_shifts_is_expected_of_film():
    clean = flat(0.01)
    noisy, expected = pair(Film(0.08, 0.08, size=(1, 1), floor=(0.5, 0.5)), clean)
    shift = noisy.mean() - clean.mean()
    assert shift > 0.005
    assert expected.mean() - clean.mean() == pytest.approx(shift, rel=0.05)


def test_the_level_is_read_of_film():
    assert parse_noise("film:5-20") == Film(5 / 255, 20 / 255)
    assert parse_noise("film") == Film()
    with pytest.raises(UsageError, match="film:grainy"):
        parse_noise("film:grainy")
