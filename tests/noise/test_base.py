from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import pytest

from kerasdenoise.noise import Camera, Compressed, Gaussian, Mixture, Noise, Speckle, parse_noise
from kerasdenoise.noise.base import clipped_mean


@dataclass(frozen=True)
class Constant(Noise):
    """Adds a number, so that an image shows what became of it."""

    value: float

    def __call__(self, clean, seed):
        return clean + self.value


def values(noise: Mixture, batch: int) -> list[float]:
    clean = np.zeros((batch, 2, 2, 1), np.float32)
    noisy = keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))
    assert noisy.shape == clean.shape
    return noisy[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    ("shares", "batch", "expected"),
    [
        ((1, 1), 4, [1, 1, 2, 2]),
        ((3, 1), 8, [1] * 6 + [2] * 2),
        ((0.4, 0.35, 0.25), 20, [1] * 8 + [2] * 7 + [3] * 5),
        ((1, 1, 1), 3, [1, 2, 3]),
        ((0.9, 0.1), 1, [1]),
        ((0.1, 0.9), 1, [2]),
        ((0.01, 0.99), 10, [2] * 10),
        ((5,), 3, [1, 1, 1]),
    ],
)
def test_a_batch_is_split_by_shares_in_order(
    shares: tuple[float, ...], batch: int, expected: list[int]
):
    noises = [Constant(value + 1) for value in range(len(shares))]
    assert values(Mixture(noises, shares), batch) == expected


@pytest.mark.parametrize("batch", range(1, 12))
def test_every_image_is_corrupted_once(batch: int):
    split = values(Mixture([Constant(1), Constant(2), Constant(3)], (0.6, 0.3, 0.1)), batch)
    assert split == sorted(split)
    assert set(split) <= {1, 2, 3}
    for value, share in ((1, 0.6), (2, 0.3), (3, 0.1)):
        assert abs(split.count(value) - share * batch) <= 1


def test_each_part_has_the_power_of_its_kind():
    clean = np.full((12, 64, 64, 3), 0.5, np.float32)
    noises = [Gaussian(0.2, 0.2), Gaussian(0.05, 0.05), Camera(shot=(2e-4, 2e-4), compressed=0.0)]
    mixture = Mixture(noises, (1, 1, 1))
    noisy = keras.ops.convert_to_numpy(mixture(clean, keras.random.SeedGenerator(0)))
    deviations = (noisy - clean).std(axis=(1, 2, 3))
    np.testing.assert_allclose(deviations[:4], 0.2, rtol=0.05)
    np.testing.assert_allclose(deviations[4:8], 0.05, rtol=0.05)
    assert (deviations[8:] < 0.04).all()
    assert (deviations[8:] > 1e-4).all()


def pair(noise: Noise, clean: np.ndarray) -> list[np.ndarray]:
    both = noise.draw_pair(clean, keras.random.SeedGenerator(0))
    return [keras.ops.convert_to_numpy(part) for part in both]


@pytest.mark.parametrize("deviation", [0.0, 0.01, 0.2, 1.5])
def test_the_mean_of_clipped_numbers(deviation: float):
    means = np.array([-0.3, 0.0, 0.004, 0.5, 0.9, 1.0, 1.2], np.float32)
    numbers = np.random.default_rng(0).normal(size=(400_000, 1))
    expected = np.clip(means + deviation * numbers, 0, 1).mean(axis=0)
    result = keras.ops.convert_to_numpy(clipped_mean(means, np.float32(deviation)))
    np.testing.assert_allclose(result, expected, atol=4e-3 * deviation + 1e-6)


@pytest.mark.parametrize(
    "noise", [Speckle(0.2, 0.2), Compressed(0.15, 0.15, quality=(99, 99))], ids=["speckle", "jpeg"]
)
def test_the_mean_of_clipped_noise_is_expected(noise: Noise):
    clean = np.full((32, 64, 64, 3), 0.94, np.float32)
    clean[:, :32] = 0.05 if isinstance(noise, Compressed) else 0.8
    noisy, expected = pair(noise, clean)
    for half in (slice(0, 32), slice(32, 64)):
        values = noisy[:, half]
        # JPEG rounds colors, and clips again what it makes of clipped noise.
        error = 5 * values.std() / np.sqrt(values.size) + 2e-3
        assert abs(values.mean() - clean[:, half].mean()) > 5 * error
        assert abs(values.mean() - expected[:, half].mean()) < error


@pytest.mark.parametrize("text", ["gaussian:25", "poisson:5.5", "salt_and_pepper", "blur"])
def test_other_kinds_are_versions_of_the_clean_image(text: str):
    clean = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
    noisy, expected = pair(parse_noise(text), clean)
    np.testing.assert_array_equal(expected, clean)
    assert not np.array_equal(noisy, clean)


def test_a_mixture_expects_what_each_part_does():
    clean = np.full((4, 16, 16, 3), 0.98, np.float32)
    mixture = Mixture([Gaussian(0.1, 0.1), Speckle(0.2, 0.2)], (1, 1))
    noisy, expected = pair(mixture, clean)
    np.testing.assert_array_equal(expected[:2], clean[:2])
    assert (expected[2:] < 0.9).all()
    alone = mixture(clean, keras.random.SeedGenerator(0))
    np.testing.assert_array_equal(noisy, keras.ops.convert_to_numpy(alone))
