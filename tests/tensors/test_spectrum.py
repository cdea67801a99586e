from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.tensors.spectrum import filter_pair, gaussian_response


def widths(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 1, 1, 1)


def smooth(first: np.ndarray, second: np.ndarray, *values: float) -> list[np.ndarray]:
    _, height, wide, channels = first.shape
    response = gaussian_response(widths(*values), height, wide)
    response = keras.ops.repeat(response, channels, axis=1)
    return [keras.ops.convert_to_numpy(part) for part in filter_pair(first, second, response)]


@pytest.mark.parametrize("width", [1.0, 1.5, 2.5])
def test_a_gaussian_window_is_its_width_all_around(width: float):
    point = np.zeros((1, 40, 48, 1), np.float32)
    point[0, 1, 2] = 1.0
    window, _ = smooth(point, 0 * point, width)
    y, x = np.indices((40, 48))
    y, x = (y - 1 + 20) % 40 - 20, (x - 2 + 24) % 48 - 24
    expected = np.exp(-(y**2 + x**2) / (2 * width**2))
    np.testing.assert_allclose(window[0, ..., 0], expected / expected.sum(), atol=2e-3)


def test_no_width_changes_nothing():
    images = np.random.default_rng(0).normal(size=(2, 2, 9, 15, 3)).astype(np.float32)
    for before, after in zip(images, smooth(*images, 0.0), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-5)


def test_neither_the_pair_nor_the_batch_mixes():
    images = np.random.default_rng(0).random((2, 2, 16, 24, 2)).astype(np.float32)
    pair = smooth(*images, 0.7, 2.0)
    for part, together in zip(images, pair, strict=True):
        for index, width in enumerate((0.7, 2.0)):
            alone, _ = smooth(part[index : index + 1], 0 * part[:1], width)
            np.testing.assert_allclose(together[index], alone[0], atol=1e-5)
