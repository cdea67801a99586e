from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import Inpainting, parse_noise


def missing(noise: Inpainting, shape: tuple[int, ...]) -> np.ndarray:
    """Which values were set to 0; the others must be as they were."""
    clean = np.random.default_rng(0).uniform(0.1, 1, shape).astype(np.float32)
    noisy = keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))
    np.testing.assert_array_equal(noisy[noisy != 0], clean[noisy != 0])
    return noisy == 0


@pytest.mark.parametrize("fraction", [0.1, 0.5, 1.0])
@pytest.mark.parametrize(("height", "width"), [(20, 30), (17, 11), (1, 1)])
def test_a_rectangle_of_that_size_is_missing(fraction: float, height: int, width: int):
    mask = missing(Inpainting(fraction, fraction), (16, height, width, 3))
    for image in mask:
        assert (image == image[..., :1]).all()
        rows, columns = image[..., 0].any(axis=1), image[..., 0].any(axis=0)
        np.testing.assert_array_equal(image[..., 0], np.outer(rows, columns))
        # NumPy rounds to even as Keras does.
        tall, wide = (round(float(np.float32(fraction) * side)) for side in (height, width))
        if tall and wide:
            assert (rows.sum(), columns.sum()) == (tall, wide)
        for line in (rows, columns):
            assert np.abs(np.diff(line.astype(int))).sum() <= 2  # in one piece
        if not tall or not wide:
            assert not image.any()


def test_it_may_lie_anywhere_within():
    mask = missing(Inpainting(0.5, 0.5), (3000, 8, 4, 1))[..., 0]
    starts = [tuple(np.argwhere(image)[0]) for image in mask]
    assert set(starts) == {(y, x) for y in range(5) for x in range(3)}
    number = np.unique(starts, axis=0, return_counts=True)[1]
    assert number.min() > 140  # of 200 expected


def test_no_fraction_is_nothing_missing():
    assert not missing(Inpainting(0.0, 0.0), (4, 9, 9, 3)).any()


def test_each_image_draws_its_fraction():
    shares = missing(Inpainting(0.1, 0.5), (300, 40, 40, 1)).mean(axis=(1, 2, 3))
    fractions = np.sort(np.sqrt(shares))
    # Kolmogorov and Smirnov's distance of 300 draws is above 0.113 once in a thousand times.
    np.testing.assert_allclose(fractions, np.linspace(0.1, 0.5, 300), atol=0.113 * 0.4 + 0.013)


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("inpainting", Inpainting(0.5, 0.5)),
        ("inpainting:0.2", Inpainting(0.2, 0.2)),
        ("inpainting:0.1-0.5", Inpainting(0.1, 0.5)),
    ],
)
def test_a_text_names_it(text: str, noise: Inpainting):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("argument", ["2", "-1", "x"])
def test_what_names_none_is_refused(argument: str):
    with pytest.raises(UsageError, match=r"number.* range .*0-1"):
        parse_noise(f"inpainting:{argument}")
