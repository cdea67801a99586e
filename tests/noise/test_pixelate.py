from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import Pixelate, parse_noise


def coarse(cell: int, clean: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(Pixelate(cell)(clean, keras.random.SeedGenerator(0)))


@pytest.mark.parametrize("cell", [1, 2, 4, 7])
@pytest.mark.parametrize("size", [(8, 12), (17, 23), (3, 4), (1, 1)])
def test_every_cell_has_its_own_mean(cell: int, size: tuple[int, int]):
    clean = np.random.default_rng(0).random((2, *size, 3), np.float32)
    expected = np.empty_like(clean)
    for y in range(0, size[0], cell):
        for x in range(0, size[1], cell):
            place = np.s_[:, y : y + cell, x : x + cell]
            expected[place] = clean[place].mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(coarse(cell, clean), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "noise"),
    [("pixelate", Pixelate(4)), ("pixelate:1", Pixelate(1)), ("pixelate:256", Pixelate(256))],
)
def test_a_text_names_it(text: str, noise: Pixelate):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("argument", ["0", "257", "2.5", "-4", "x", "2-4", "²"])
def test_what_names_none_is_refused(argument: str):
    with pytest.raises(UsageError, match=r"whole number.*1-256"):
        parse_noise(f"pixelate:{argument}")
