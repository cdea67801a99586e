from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import pytest

from kerasdenoise.noise import Camera, Gaussian, Mixture, Noise


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
